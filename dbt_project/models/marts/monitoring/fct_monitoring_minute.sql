{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

statistics as (

    select * from {{ ref('int_monitoring__air_minute_statistics') }}
    where {{ touched('plant_date', ref('int_monitoring__arrivals')) }}

),

outlets as (

    select * from {{ ref('stg_site_register__outlets') }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

-- Conditions that the stack's other values are corrected with; of a minute that is not valid there are none.
measured_conditions as (

    select
        outlet_id,
        period_start_utc,
        plant_date,
        max(case when factor_code = 'a01012' then avg_value end) as temperature_c,
        max(case when factor_code = 'a01013' then avg_value * 1000.0 end) as static_pressure_pa,
        max(case when factor_code = 'a01006' then avg_value * 1000.0 end) as barometric_pressure_pa,
        max(case when factor_code = 'a01014' then avg_value end) as moisture_pct,
        max(case when factor_code = 'a19001' then avg_value end) as oxygen_as_measured_pct,
        max(case when factor_code = 'a19001' then moisture_basis_code end) as oxygen_basis_code
    from statistics
    where is_valid
    group by outlet_id, period_start_utc, plant_date

),

condition_factors as (

    select
        measured_conditions.outlet_id,
        measured_conditions.period_start_utc,
        {{ standard_condition_factor('temperature_c', 'static_pressure_pa', 'barometric_pressure_pa') }}
            as standard_factor,
        {{ dry_basis_factor('moisture_pct') }} as dry_factor,
        {{ standard_dry_flow_m3_s_per_m_s(
            'outlets.velocity_coefficient', 'outlets.stack_area_m2',
            'temperature_c', 'static_pressure_pa', 'barometric_pressure_pa', 'moisture_pct'
        ) }} as flow_per_velocity,
        case
            when oxygen_basis_code = 'wet' then oxygen_as_measured_pct * {{ dry_basis_factor('moisture_pct') }}
            else oxygen_as_measured_pct
        end as oxygen_pct
    from measured_conditions
    inner join outlets on measured_conditions.outlet_id = outlets.outlet_id

),

-- One row more for each minute with a velocity: the gas flow, which no instrument reports.
measured_and_flow as (

    select
        outlet_id,
        factor_code,
        period_start_utc,
        plant_date,
        kind,
        moisture_basis_code,
        condition_basis_code,
        value_count,
        normal_count,
        min_value,
        avg_value,
        max_value,
        is_valid,
        _source_ingested_at_utc
    from statistics
    union all
    select
        outlet_id,
        'a00000' as factor_code,
        period_start_utc,
        plant_date,
        'flow' as kind,
        moisture_basis_code,
        condition_basis_code,
        value_count,
        normal_count,
        min_value,
        avg_value,
        max_value,
        is_valid,
        _source_ingested_at_utc
    from statistics
    where factor_code = 'a01011'

),

scaled as (

    select
        measured_and_flow.*,
        condition_factors.flow_per_velocity,
        case
            when measured_and_flow.kind = 'concentration'
                then
                    {{ reference_oxygen_factor('condition_factors.oxygen_pct', 'outlets.reference_o2_pct') }}
        end as oxygen_factor,
        case
            when measured_and_flow.kind = 'flow' then condition_factors.flow_per_velocity
            else
                case
                    when
                        measured_and_flow.kind in ('concentration', 'oxygen')
                        and measured_and_flow.moisture_basis_code = 'wet'
                        then condition_factors.dry_factor
                    else 1.0
                end
                * case
                    when
                        measured_and_flow.kind = 'concentration'
                        and measured_and_flow.condition_basis_code = 'actual'
                        then condition_factors.standard_factor
                    else 1.0
                end
        end as condition_factor
    from measured_and_flow
    inner join outlets on measured_and_flow.outlet_id = outlets.outlet_id
    left join condition_factors
        on
            measured_and_flow.outlet_id = condition_factors.outlet_id
            and measured_and_flow.period_start_utc = condition_factors.period_start_utc

),

flows as (

    select
        outlet_id,
        period_start_utc,
        avg_value * condition_factor as flow_m3_s
    from scaled
    where kind = 'flow' and is_valid

),

computed as (

    select
        scaled.outlet_id,
        scaled.factor_code,
        scaled.period_start_utc,
        scaled.plant_date,
        factors.unit,
        factors.amount_unit,
        scaled.value_count,
        scaled.normal_count,
        scaled.min_value * scaled.condition_factor as min_value,
        scaled.avg_value * scaled.condition_factor as avg_value,
        scaled.max_value * scaled.condition_factor as max_value,
        scaled.min_value * scaled.condition_factor * scaled.oxygen_factor as converted_min_value,
        scaled.avg_value * scaled.condition_factor * scaled.oxygen_factor as converted_avg_value,
        scaled.max_value * scaled.condition_factor * scaled.oxygen_factor as converted_max_value,
        -- The mass is that of the measured concentration: conversion to reference oxygen adds no pollutant.
        case
            when scaled.kind = 'flow' then scaled.avg_value * scaled.condition_factor * 60.0
            when scaled.kind = 'concentration'
                then scaled.avg_value * scaled.condition_factor * flows.flow_m3_s * 60.0 * factors.amount_per_m3
        end as cou_value,
        scaled.is_valid as is_measured,
        scaled.is_valid and scaled.condition_factor is not null as is_valid,
        scaled.kind = 'flow' or scaled.condition_factor <> 1.0 as is_calculated,
        scaled._source_ingested_at_utc
    from scaled
    inner join factors on scaled.factor_code = factors.factor_code
    left join flows
        on scaled.outlet_id = flows.outlet_id and scaled.period_start_utc = flows.period_start_utc

)

select
    -- ids
    outlet_id,
    factor_code,
    period_start_utc,
    plant_date,

    -- values
    unit,
    cast(value_count as integer) as value_count,
    cast(normal_count as integer) as normal_count,
    {{ settled('min_value') }} as min_value,
    {{ settled('avg_value') }} as avg_value,
    {{ settled('max_value') }} as max_value,
    {{ settled('converted_min_value') }} as converted_min_value,
    {{ settled('converted_avg_value') }} as converted_avg_value,
    {{ settled('converted_max_value') }} as converted_max_value,
    {{ settled('case when is_valid then cou_value end') }} as cou_value,
    amount_unit,

    -- quality
    case when is_valid then 'N' else 'D' end as data_flag,
    is_valid,
    case
        when is_measured and avg_value is null then 'not_computable'
        else {{ period_quality_code('is_valid', 'value_count', 'normal_count', 'value_count', 'avg_value') }}
    end as avg_value_quality_code,
    case when is_calculated then 'calculated' else 'measured' end as avg_value_method,

    -- bookkeeping
    _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from computed

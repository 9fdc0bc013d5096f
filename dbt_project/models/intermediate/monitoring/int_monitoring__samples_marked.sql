{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

points as (

    select * from {{ ref('stg_opcua_environment__points') }}
    where {{ touched(
        'plant_date', source('opcua_environment', 'raw_opcua_environment__points'), 'source_date', '_ingested_at_utc'
    ) }}

),

outlet_points as (

    select * from {{ ref('stg_site_register__outlet_points') }}
    where system_id = 'opcua_environment' and factor_code <> 'i12001'

),

outlets as (

    select * from {{ ref('stg_site_register__outlets') }}

),

outlets_with_state as (

    select distinct outlet_id from {{ ref('stg_site_register__outlet_points') }}
    where factor_code = 'i12001'

),

tag_versions as (

    select * from {{ ref('int_monitoring__tag_versions') }}
    where system_id = 'opcua_environment'

),

instrument_states as (

    select * from {{ ref('int_monitoring__instrument_states') }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

unit_conversions as (

    select * from {{ ref('unit_conversions') }}

),

state_marks as (

    select * from {{ ref('instrument_states') }}

),

status_marks as (

    select * from {{ ref('opcua_status_marks') }}

),

-- One row a factor of an outlet and version of its tag, so that the many samples meet few rows.
measured_factors as (

    select
        outlet_points.outlet_id,
        outlet_points.factor_code,
        outlet_points.tag_id,
        outlet_points.moisture_basis_code,
        outlet_points.condition_basis_code,
        outlet_points.valid_from_date,
        outlet_points.valid_to_date,
        outlets.medium,
        factors.kind,
        factors.unit,
        tag_versions.range_low,
        tag_versions.range_high,
        tag_versions.is_unit_mismatch,
        tag_versions.valid_from_utc,
        tag_versions.valid_to_utc,
        outlets_with_state.outlet_id is not null as has_state,
        case when tag_versions.unit = factors.unit then 1.0 else unit_conversions.factor end as unit_factor,
        case when tag_versions.unit = factors.unit then 0.0 else unit_conversions.shift end as unit_shift
    from outlet_points
    inner join outlets on outlet_points.outlet_id = outlets.outlet_id
    inner join factors on outlet_points.factor_code = factors.factor_code
    left join outlets_with_state on outlet_points.outlet_id = outlets_with_state.outlet_id
    left join tag_versions on outlet_points.tag_id = tag_versions.tag_id
    left join unit_conversions
        on tag_versions.unit = unit_conversions.from_unit and factors.unit = unit_conversions.to_unit

),

samples as (

    select
        measured_factors.outlet_id,
        measured_factors.factor_code,
        measured_factors.medium,
        measured_factors.kind,
        measured_factors.moisture_basis_code,
        measured_factors.condition_basis_code,
        measured_factors.unit,
        measured_factors.range_low,
        measured_factors.range_high,
        measured_factors.has_state,
        coalesce(measured_factors.is_unit_mismatch, false) as is_unit_mismatch,
        points.plant_date,
        points.source_at_utc,
        points.source_at_100ns,
        points.value_number as value_received,
        points.value_number * measured_factors.unit_factor + measured_factors.unit_shift as value_converted,
        points._source_ingested_at_utc,
        {{ status_severity('points.status_code') }} as status_severity,
        {{ status_reason('points.status_code') }} as status_reason
    from points
    inner join measured_factors
        on
            points.tag_id = measured_factors.tag_id
            and points.plant_date >= measured_factors.valid_from_date
            and points.plant_date < measured_factors.valid_to_date
            and (
                measured_factors.valid_from_utc is null
                or (
                    points.source_at_utc >= measured_factors.valid_from_utc
                    and points.source_at_utc < measured_factors.valid_to_utc
                )
            )

),

judged as (

    select
        samples.*,
        coalesce(by_reason.mark, by_severity.mark, 'D') as status_mark,
        case when samples.has_state then coalesce(state_marks.mark, 'B') else 'N' end as state_mark
    from samples
    left join instrument_states
        on
            samples.outlet_id = instrument_states.outlet_id
            and samples.plant_date = instrument_states.plant_date
            and samples.source_at_utc >= instrument_states.valid_from_utc
            and samples.source_at_utc < instrument_states.valid_to_utc
    left join state_marks on instrument_states.state_code = state_marks.state_code
    left join status_marks as by_reason
        on samples.status_reason = by_reason.status_code and by_reason.matches = 'code'
    left join status_marks as by_severity
        on samples.status_severity = by_severity.status_code and by_severity.matches = 'severity'

)

-- Why a sample does not count, in the order of transforms/marks.py; a wrong unit voids what it would otherwise be.
select
    outlet_id,
    factor_code,
    medium,
    kind,
    moisture_basis_code,
    condition_basis_code,
    source_at_utc,
    source_at_100ns,
    plant_date,
    unit,
    value_converted as sample_value,
    case
        when status_severity <> 0 then status_mark
        when is_unit_mismatch then 'D'
        when state_mark <> 'N' then state_mark
        when not {{ is_number('value_received') }} then 'D'
        when value_received < range_low or value_received > range_high then 'T'
        when value_converted is null then 'D'
        else 'N'
    end as mark,
    case
        when status_severity <> 0 then 'status'
        when is_unit_mismatch then 'unit_mismatch'
        when state_mark <> 'N' then 'instrument_state'
        when not {{ is_number('value_received') }} then 'no_value'
        when value_received < range_low or value_received > range_high then 'out_of_range'
        when value_converted is null then 'unit_unknown'
        else 'good'
    end as sample_value_quality_code,
    _source_ingested_at_utc
from judged

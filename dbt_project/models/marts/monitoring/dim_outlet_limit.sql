with

limits as (

    select * from {{ ref('stg_site_register__outlet_limits') }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

unit_conversions as (

    select * from {{ ref('unit_conversions') }}

),

-- A rate is judged in kilograms an hour, a concentration in the unit its factor is told in.
with_judged_unit as (

    select
        limits.*,
        case when limits.limit_basis_code = 'rate' then 'kg/h' else factors.unit end as judged_unit
    from limits
    left join factors on limits.factor_code = factors.factor_code

),

converting as (

    select
        with_judged_unit.*,
        case
            when with_judged_unit.unit_code = with_judged_unit.judged_unit then 1.0
            else unit_conversions.factor
        end as unit_factor
    from with_judged_unit
    left join unit_conversions
        on
            with_judged_unit.unit_code = unit_conversions.from_unit
            and with_judged_unit.judged_unit = unit_conversions.to_unit

)

select
    outlet_id,
    factor_code,
    averaging_code,
    limit_basis_code,
    valid_from_date,
    valid_to_date,
    cast(limit_low * unit_factor as double) as limit_low,
    cast(limit_value * unit_factor as double) as limit_value,
    judged_unit as unit_code,
    standard_no,
    standard_name_zh,
    standard_name_en
from converting

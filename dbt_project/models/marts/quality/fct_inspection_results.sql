with

results as (

    select * from {{ ref('stg_lims_main__results') }}

),

samples as (

    select * from {{ ref('stg_lims_main__samples') }}

),

specifications as (

    select * from {{ ref('stg_lims_main__specifications') }}

)

select
    -- ids
    results.result_id,
    results.sample_id,
    samples.sample_type_code,
    samples.lot_id,
    samples.batch_id,
    samples.material_id,
    samples.material_code,
    results.parameter_code,
    specifications.specification_id,

    -- values
    results.result_value,
    results.result_unit_code,
    specifications.lower_limit_value,
    specifications.upper_limit_value,
    case
        when results.status_code = 'S' then 'superseded'
        when specifications.specification_id is null or results.result_value is null then 'not_judged'
        when
            results.result_value < specifications.lower_limit_value
            or results.result_value > specifications.upper_limit_value
            then 'out_of_limits'
        else 'in_limits'
    end as judgement_code,

    -- who and when
    results.method_id,
    results.instrument_id,
    results.analyst_code,
    results.tested_at_utc,
    results.updated_at_utc
from results
left join samples on results.sample_id = samples.sample_id
left join specifications
    on
        samples.material_code = specifications.material_code
        and samples.sample_type_code = specifications.sample_type_code
        and results.parameter_code = specifications.parameter_code
        and results.result_unit_code = specifications.limit_unit_code
        and {{ plant_date('results.tested_at_utc') }} >= specifications.valid_from_date
        and {{ plant_date('results.tested_at_utc') }}
        < coalesce(specifications.valid_to_date, cast('9999-12-31' as date))

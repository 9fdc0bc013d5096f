with

samples as (

    select * from {{ ref('int_monitoring__samples_marked') }}
    where medium = 'air'

),

minutes as (

    select
        outlet_id,
        factor_code,
        kind,
        moisture_basis_code,
        condition_basis_code,
        unit,
        {{ floor_to_minutes('source_at_utc', 1) }} as period_start_utc,
        plant_date,
        count(*) as value_count,
        sum(case when mark = 'N' then 1 else 0 end) as normal_count,
        min(case when mark = 'N' then sample_value end) as min_value,
        {{ exact_mean("case when mark = 'N' then sample_value end") }} as avg_value,
        max(case when mark = 'N' then sample_value end) as max_value,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from samples
    group by
        outlet_id,
        factor_code,
        kind,
        moisture_basis_code,
        condition_basis_code,
        unit,
        {{ floor_to_minutes('source_at_utc', 1) }},
        plant_date

)

-- The barometer reports once a minute: ambient conditions are steady, one value makes their minute.
select
    *,
    normal_count >= {{ var('normal_share_min') }} * value_count
    and (value_count >= {{ var('air_minute_min_samples') }} or kind = 'ambient') as is_valid
from minutes

with

samples as (

    select * from {{ ref('int_monitoring__samples_marked') }}
    where medium = 'water'

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

marks as (

    select * from {{ ref('data_marks') }}

),

marked as (

    select
        samples.*,
        marks.precedence
    from samples
    inner join marks on samples.mark = marks.mark

),

periods as (

    select
        outlet_id,
        factor_code,
        kind,
        {{ floor_to_minutes('source_at_utc', 10) }} as period_start_utc,
        plant_date,
        count(*) as value_count,
        sum(case when mark = 'N' then 1 else 0 end) as normal_count,
        max(precedence) as precedence,
        min(case when mark = 'N' then sample_value end) as min_value,
        {{ exact_mean("case when mark = 'N' then sample_value end") }} as avg_value,
        max(case when mark = 'N' then sample_value end) as max_value,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from marked
    group by
        outlet_id,
        factor_code,
        kind,
        {{ floor_to_minutes('source_at_utc', 10) }},
        plant_date

),

-- Flow is totalled, so every sample counts; an analyser may give one concentration in the whole period.
flagged as (

    select
        periods.*,
        case
            when periods.precedence > 0 then marks.mark
            when periods.kind = 'flow' and periods.value_count < {{ var('water_ten_minute_min_flow_samples') }} then 'B'
            else 'N'
        end as data_flag
    from periods
    inner join marks on periods.precedence = marks.precedence

),

volumes as (

    select
        outlet_id,
        period_start_utc,
        avg_value * 600.0 / 1000.0 as volume_m3
    from flagged
    where kind = 'flow' and data_flag = 'N'

)

select
    flagged.outlet_id,
    flagged.factor_code,
    flagged.period_start_utc,
    flagged.plant_date,
    flagged.value_count,
    flagged.normal_count,
    flagged.min_value,
    flagged.avg_value,
    flagged.max_value,
    flagged.data_flag,
    flagged.data_flag = 'N' as is_valid,
    case
        when flagged.kind = 'flow' and flagged.data_flag = 'N' then volumes.volume_m3
        when flagged.kind = 'concentration' and flagged.data_flag = 'N'
            then flagged.avg_value * volumes.volume_m3 * factors.amount_per_m3
    end as cou_value,
    flagged._source_ingested_at_utc
from flagged
inner join factors on flagged.factor_code = factors.factor_code
left join volumes
    on flagged.outlet_id = volumes.outlet_id and flagged.period_start_utc = volumes.period_start_utc

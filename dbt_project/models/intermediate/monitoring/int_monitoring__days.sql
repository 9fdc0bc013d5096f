with

hours as (

    select * from {{ ref('fct_monitoring_hour') }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

marks as (

    select * from {{ ref('data_marks') }}

),

-- The volume that each hour of concentration met: a day's mean of water is weighted like an hour's.
volumes as (

    select
        outlet_id,
        period_start_utc,
        cou_value as volume_m3
    from hours
    where factor_code = 'w00000' and is_valid

),

joined as (

    select
        hours.*,
        factors.kind,
        factors.amount_per_m3,
        marks.precedence,
        volumes.volume_m3
    from hours
    inner join factors on hours.factor_code = factors.factor_code
    inner join marks on hours.data_flag = marks.mark
    left join volumes
        on hours.outlet_id = volumes.outlet_id and hours.period_start_utc = volumes.period_start_utc

),

days as (

    select
        outlet_id,
        factor_code,
        medium,
        kind,
        plant_date,
        max(amount_per_m3) as amount_per_m3,
        count(*) as value_count,
        sum(case when is_valid then 1 else 0 end) as normal_count,
        max(precedence) as precedence,
        min(case when is_valid then min_value end) as min_value,
        {{ exact_mean('case when is_valid then avg_value end') }} as arithmetic_avg_value,
        max(case when is_valid then max_value end) as max_value,
        min(case when is_valid then converted_min_value end) as converted_min_value,
        case
            when count(case when is_valid then converted_avg_value end) >= {{ var('air_day_min_hours') }}
                then {{ exact_mean('case when is_valid then converted_avg_value end') }}
        end as converted_avg_value,
        max(case when is_valid then converted_max_value end) as converted_max_value,
        {{ exact_sum('case when is_valid then cou_value end') }} as total_value,
        {{ exact_sum('case when is_valid and volume_m3 is not null then cou_value end') }} as weighted_value,
        {{ exact_sum('case when is_valid and cou_value is not null then volume_m3 end') }} as volume_m3,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from joined
    group by outlet_id, factor_code, medium, kind, plant_date

),

judged as (

    select
        days.*,
        marks.mark as worst_mark,
        medium = 'water' and kind = 'concentration' and volume_m3 > 0 as is_flow_weighted,
        case
            when medium = 'air' then normal_count >= {{ var('air_day_min_hours') }}
            else normal_count >= {{ var('water_day_min_hours') }}
        end as is_valid
    from days
    inner join marks on days.precedence = marks.precedence

)

select
    outlet_id,
    factor_code,
    plant_date,
    medium,
    value_count,
    normal_count,
    min_value,
    case
        when is_flow_weighted then weighted_value / volume_m3 / amount_per_m3
        else arithmetic_avg_value
    end as avg_value,
    max_value,
    converted_min_value,
    converted_avg_value,
    converted_max_value,
    total_value as cou_value,
    case
        when medium = 'air' and is_valid then 'N'
        when medium = 'air' then 'D'
        when precedence > 0 then worst_mark
        when value_count < 24 then 'B'
        else 'N'
    end as data_flag,
    is_valid,
    case when is_flow_weighted then 'flow_weighted' else 'arithmetic' end as averaging_code,
    _source_ingested_at_utc
from judged

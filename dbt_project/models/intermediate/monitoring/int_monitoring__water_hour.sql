with

ten_minutes as (

    select * from {{ ref('fct_monitoring_ten_minute') }}
    where medium = 'water'

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

marks as (

    select * from {{ ref('data_marks') }}

),

-- The volume that each ten minutes of concentration met.
volumes as (

    select
        outlet_id,
        period_start_utc,
        cou_value as volume_m3
    from ten_minutes
    where factor_code = 'w00000' and is_valid

),

joined as (

    select
        ten_minutes.*,
        factors.kind,
        factors.amount_per_m3,
        marks.precedence,
        volumes.volume_m3,
        {{ floor_to_minutes('ten_minutes.period_start_utc', 60) }} as hour_start_utc
    from ten_minutes
    inner join factors on ten_minutes.factor_code = factors.factor_code
    inner join marks on ten_minutes.data_flag = marks.mark
    left join volumes
        on
            ten_minutes.outlet_id = volumes.outlet_id
            and ten_minutes.period_start_utc = volumes.period_start_utc

),

hours as (

    select
        outlet_id,
        factor_code,
        kind,
        hour_start_utc as period_start_utc,
        plant_date,
        max(amount_per_m3) as amount_per_m3,
        count(*) as value_count,
        sum(case when is_valid then 1 else 0 end) as normal_count,
        max(precedence) as precedence,
        min(case when is_valid then min_value end) as min_value,
        {{ exact_mean('case when is_valid then avg_value end') }} as arithmetic_avg_value,
        max(case when is_valid then max_value end) as max_value,
        count(case when is_valid then cou_value end) as total_count,
        {{ exact_sum('case when is_valid then cou_value end') }} as total_value,
        {{ exact_sum('case when is_valid and cou_value is not null then volume_m3 end') }} as volume_m3,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from joined
    group by outlet_id, factor_code, kind, hour_start_utc, plant_date

),

-- A total needs all six ten minutes; a mean weighted by flow needs them and water that flowed.
averaged as (

    select
        *,
        normal_count >= {{ var('water_hour_min_ten_minutes') }} as is_valid,
        total_count >= {{ var('water_hour_min_ten_minutes') }} as has_total,
        kind = 'concentration'
        and total_count >= {{ var('water_hour_min_ten_minutes') }}
        and volume_m3 > 0 as is_flow_weighted
    from hours

)

select
    averaged.outlet_id,
    averaged.factor_code,
    averaged.period_start_utc,
    averaged.plant_date,
    averaged.value_count,
    averaged.normal_count,
    averaged.min_value,
    case
        when averaged.is_flow_weighted then averaged.total_value / averaged.volume_m3 / averaged.amount_per_m3
        else averaged.arithmetic_avg_value
    end as avg_value,
    averaged.max_value,
    averaged.is_valid,
    case
        when averaged.precedence > 0 then marks.mark
        when averaged.value_count < 6 then 'B'
        else 'N'
    end as data_flag,
    case when averaged.has_total then averaged.total_value end as cou_value,
    averaged.is_flow_weighted,
    averaged._source_ingested_at_utc
from averaged
inner join marks on averaged.precedence = marks.precedence

with

area_days as (

    select * from {{ ref('fct_area_day') }}

),

newest as (

    select max(plant_date) as plant_date from area_days

),

last_points as (

    select
        area_id,
        max(last_source_at_utc) as last_source_at_utc
    from area_days
    group by area_id

)

select
    area_days.area_id,
    area_days.area_name_zh,
    area_days.area_name_en,
    area_days.plant_date as looked_at_date,
    area_days.tag_count,
    area_days.device_count,
    last_points.last_source_at_utc
from area_days
inner join newest on area_days.plant_date = newest.plant_date
left join last_points on area_days.area_id = last_points.area_id
where area_days.is_live_data_needed and not area_days.has_live_data

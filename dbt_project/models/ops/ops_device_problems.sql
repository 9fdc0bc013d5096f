with

newest as (

    select max(plant_date) as plant_date from {{ ref('fct_device_day') }}

),

devices as (

    select
        *,
        row_number() over (partition by device_id order by valid_from_date desc) as newest_rank
    from {{ ref('stg_site_register__devices') }}

),

-- Before anything was collected there are no days to look at, and the register alone is judged.
device_days as (

    select device_days.*
    from {{ ref('fct_device_day') }} as device_days
    inner join newest on device_days.plant_date = newest.plant_date

),

areas as (

    select area_id from {{ ref('stg_site_register__areas') }}

),

looked_at as (

    select
        devices.device_id,
        devices.device_name_zh,
        devices.device_name_en,
        devices.device_class_code,
        devices.area_id,
        devices.segment_id,
        devices.system_id,
        devices.tag_id,
        devices.no_path_reason_zh,
        device_days.path_code,
        device_days.is_live,
        device_days.technology_code,
        areas.area_id is not null as has_area
    from devices
    left join device_days on devices.device_id = device_days.device_id
    left join areas on devices.area_id = areas.area_id
    where devices.newest_rank = 1 and devices.valid_to_date = date '9999-12-31'

),

problems as (

    select
        *,
        'no_path' as problem_code
    from looked_at
    where tag_id is null and system_id is null and no_path_reason_zh is null
    union all
    select
        *,
        'unknown_tag' as problem_code
    from looked_at
    where path_code = 'unknown_tag'
    union all
    select
        *,
        'no_live_data' as problem_code
    from looked_at
    where path_code in ('tag', 'system') and not is_live
    union all
    select
        *,
        'unknown_area' as problem_code
    from looked_at
    where not has_area
    union all
    -- What is not read for an accepted reason needs no network either; the coverage still counts it.
    select
        *,
        'no_segment' as problem_code
    from looked_at
    where segment_id is null and no_path_reason_zh is null
    union all
    select
        *,
        'no_segment' as problem_code
    from looked_at
    where segment_id is not null and path_code is not null and technology_code is null

)

select
    device_id,
    problem_code,
    device_name_zh,
    device_name_en,
    device_class_code,
    area_id,
    segment_id,
    system_id,
    tag_id
from problems

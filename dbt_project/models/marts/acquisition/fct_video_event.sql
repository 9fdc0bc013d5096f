with

events as (

    select * from {{ ref('stg_iot_main__events') }}

),

cameras as (

    select
        device_id,
        device_name_zh,
        device_name_en,
        area_id,
        row_number() over (partition by device_id order by valid_from_date desc) as newest_rank
    from {{ ref('stg_site_register__devices') }}
    where device_class_code = 'camera'

)

select
    -- ids
    events.event_id,
    events.source_name as camera_id,

    -- what was seen, at the camera's time; the picture stays in the video system
    events.event_at_utc,
    events.event_at_100ns,
    {{ plant_date('events.event_at_utc') }} as event_date,
    events.event_type as event_type_code,
    events.message,
    events.link as video_link,

    -- which camera
    cameras.device_name_zh as camera_name_zh,
    cameras.device_name_en as camera_name_en,
    cameras.area_id,
    events.arrived_at_utc
from events
inner join cameras on events.source_name = cameras.device_id and cameras.newest_rank = 1

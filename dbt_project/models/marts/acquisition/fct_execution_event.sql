with

batches as (

    select * from {{ ref('fct_production_batches') }}

),

iot_events as (

    select * from {{ ref('stg_iot_main__events') }}

),

devices as (

    select
        device_id,
        device_class_code,
        area_id,
        row_number() over (partition by device_id order by valid_from_date desc) as newest_rank
    from {{ ref('stg_site_register__devices') }}

),

events as (

    select
        'mes_main' as system_id,
        batch_id || ':started' as event_id,
        'batch_started' as event_type_code,
        started_at_utc as event_at_utc,
        batch_id,
        production_order_id,
        material_id,
        equipment_id,
        cast(null as double) as quantity_kg,
        cast(null as varchar) as message
    from batches
    where started_at_utc is not null
    union all
    select
        'mes_main' as system_id,
        batch_id || ':ended' as event_id,
        'batch_ended' as event_type_code,
        ended_at_utc as event_at_utc,
        batch_id,
        production_order_id,
        material_id,
        equipment_id,
        actual_kg as quantity_kg,
        cast(null as varchar) as message
    from batches
    where ended_at_utc is not null
    union all
    select
        'iot_main' as system_id,
        event_id,
        event_type as event_type_code,
        event_at_utc,
        cast(null as varchar) as batch_id,
        cast(null as varchar) as production_order_id,
        cast(null as varchar) as material_id,
        source_name as equipment_id,
        cast(null as double) as quantity_kg,
        message
    from iot_events

)

select
    -- ids
    events.system_id,
    events.event_id,
    events.event_type_code,

    -- what happened, at the source's time
    events.event_at_utc,
    {{ plant_date('events.event_at_utc') }} as event_date,
    events.batch_id,
    events.production_order_id,
    events.material_id,
    events.equipment_id,
    devices.area_id,
    events.quantity_kg,
    events.message
from events
left join devices on events.equipment_id = devices.device_id and devices.newest_rank = 1
-- What a camera saw is a video event.
where coalesce(devices.device_class_code, '') <> 'camera'

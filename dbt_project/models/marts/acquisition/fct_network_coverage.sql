with

open_ended as (

    select cast('9999-12-31' as date) as until_date

),

segments as (

    select segments.*
    from {{ ref('stg_site_register__network_segments') }} as segments
    inner join open_ended on segments.valid_to_date = open_ended.until_date

),

devices as (

    select devices.*
    from {{ ref('stg_site_register__devices') }} as devices
    inner join open_ended on devices.valid_to_date = open_ended.until_date

),

reached as (

    select
        devices.area_id,
        coalesce(segments.technology_code, 'none') as technology_code,
        count(*) as device_count
    from devices
    left join segments on devices.segment_id = segments.segment_id
    group by devices.area_id, coalesce(segments.technology_code, 'none')

),

built as (

    select
        area_id,
        technology_code,
        count(*) as segment_count
    from segments
    group by area_id, technology_code

),

-- An area may be served by a segment that lies in another, and hold a segment that serves none of its devices.
pairs as (

    select
        area_id,
        technology_code
    from reached
    union
    select
        area_id,
        technology_code
    from built

),

area_totals as (

    select
        area_id,
        count(*) as area_device_count
    from devices
    group by area_id

)

select
    pairs.area_id,
    pairs.technology_code,
    cast(coalesce(built.segment_count, 0) as integer) as segment_count,
    cast(coalesce(reached.device_count, 0) as integer) as device_count,
    cast(coalesce(area_totals.area_device_count, 0) as integer) as area_device_count,
    round(cast(100.0 * coalesce(reached.device_count, 0) as double) / area_totals.area_device_count, 2)
        as device_share_pct
from pairs
left join built on pairs.area_id = built.area_id and pairs.technology_code = built.technology_code
left join reached on pairs.area_id = reached.area_id and pairs.technology_code = reached.technology_code
left join area_totals on pairs.area_id = area_totals.area_id

with

links as (

    select * from {{ ref('stg_site_register__network_links') }}

),

segments as (

    select
        segment_id,
        zone_code,
        row_number() over (partition by segment_id order by valid_from_date desc) as newest_rank
    from {{ ref('stg_site_register__network_segments') }}

),

isolation_devices as (

    select * from {{ ref('stg_site_register__isolation_devices') }}

),

-- The last period of a link is its present one; earlier ones stay in the register.
ranked as (

    select
        *,
        row_number() over (partition by link_id order by valid_from_date desc) as newest_rank
    from links

)

select
    -- ids
    ranked.link_id,
    coalesce(isolation_devices.certificate_no, 'none') as certificate_no_or_none,
    ranked.link_name_zh,
    ranked.link_name_en,

    -- where it runs
    ranked.from_segment_id,
    from_segments.zone_code as from_zone_code,
    ranked.to_segment_id,
    to_segments.zone_code as to_zone_code,
    ranked.technology_code,
    ranked.direction_code,
    -- A segment that is not registered may lie in any zone: it counts as another.
    coalesce(from_segments.zone_code, '') <> coalesce(to_segments.zone_code, '')
    and 'control' in (coalesce(from_segments.zone_code, ''), coalesce(to_segments.zone_code, ''))
        as is_zone_crossing,

    -- what guards it: a certificate counts for the link it names
    ranked.passes_device_id,
    isolation_devices.certificate_no,
    isolation_devices.issuing_authority_zh,
    isolation_devices.place_zh,
    isolation_devices.certificate_from_date,
    isolation_devices.certificate_to_date,
    ranked.valid_from_date,
    ranked.valid_to_date
from ranked
left join segments as from_segments
    on ranked.from_segment_id = from_segments.segment_id and from_segments.newest_rank = 1
left join segments as to_segments
    on ranked.to_segment_id = to_segments.segment_id and to_segments.newest_rank = 1
left join isolation_devices
    on
        ranked.passes_device_id = isolation_devices.device_id
        and ranked.link_id = isolation_devices.link_id
where ranked.newest_rank = 1

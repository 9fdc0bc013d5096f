with

tag_versions as (

    select * from {{ ref('int_monitoring__tag_versions') }}
    where is_unit_mismatch

),

tags as (

    select * from {{ ref('stg_opcua__tags') }}

)

select
    tag_versions.system_id,
    tag_versions.tag_id,
    tags.unit,
    tags.unit_on_server,
    tag_versions.valid_from_utc as detected_at_utc,
    case
        when tag_versions.valid_to_utc < cast('9999-01-01 00:00:00+00:00' as {{ type_instant() }})
            then tag_versions.valid_to_utc
    end as resolved_at_utc
from tag_versions
inner join tags
    on
        tag_versions.system_id = tags.system_id
        and tag_versions.tag_id = tags.tag_id
        and tag_versions.valid_from_utc = tags.observed_at_utc

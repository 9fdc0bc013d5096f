with

handovers as (

    select * from {{ ref('stg_mes_main__shift_handovers') }}

)

select
    handover_id,
    area_id,
    shift_code,
    from_crew_code,
    to_crew_code,
    from_leader_code,
    to_leader_code,
    started_at_utc,
    ended_at_utc,
    {{ seconds_between('started_at_utc', 'ended_at_utc') }} / 60.0 as duration_min,
    cast(open_item_count as bigint) as open_item_count,
    ended_at_utc is not null and to_leader_code is not null as is_taken_over
from handovers

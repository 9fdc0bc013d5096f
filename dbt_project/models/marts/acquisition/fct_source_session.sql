with

notes as (

    select * from {{ ref('stg_collector__gaps') }}
    where reason_code in ('session_began', 'session_ended', 'collector_took_over')

),

open_gaps as (

    select * from {{ ref('fct_collection_gap') }}
    where is_open

),

began as (

    select
        system_id,
        collector_role,
        from_at_utc as began_at_utc,
        detail as server_url,
        lead(from_at_utc) over (partition by system_id order by from_at_utc) as next_began_at_utc,
        lead(detail) over (partition by system_id order by from_at_utc) as next_server_url
    from notes
    where reason_code = 'session_began'

),

-- A collector that was killed tells no end: the session then has none.
ended as (

    select
        began.system_id,
        began.began_at_utc,
        min(notes.from_at_utc) as ended_at_utc,
        min(notes.detail) as end_detail
    from began
    inner join notes
        on
            began.system_id = notes.system_id
            and began.collector_role = notes.collector_role
            and notes.reason_code = 'session_ended'
            and began.began_at_utc <= notes.from_at_utc
            and (began.next_began_at_utc is null or began.next_began_at_utc >= notes.from_at_utc)
    group by began.system_id, began.began_at_utc

),

-- The other collector of a pair went on; nothing was heard of this one since then.
takeovers as (

    select
        began.system_id,
        began.began_at_utc,
        min(notes.from_at_utc) as silent_since_utc,
        min(notes.detail) as takeover_detail
    from began
    inner join notes
        on
            began.system_id = notes.system_id
            and notes.reason_code = 'collector_took_over'
            and began.began_at_utc < notes.until_at_utc
            and (began.next_began_at_utc is null or began.next_began_at_utc >= notes.until_at_utc)
    group by began.system_id, began.began_at_utc

),

sessions as (

    select
        began.system_id,
        began.collector_role,
        began.began_at_utc,
        began.server_url,
        ended.ended_at_utc,
        ended.end_detail,
        takeovers.takeover_detail,
        coalesce(ended.ended_at_utc, takeovers.silent_since_utc) as stopped_at_utc,
        began.next_began_at_utc,
        began.next_server_url
    from began
    left join ended on began.system_id = ended.system_id and began.began_at_utc = ended.began_at_utc
    left join takeovers
        on began.system_id = takeovers.system_id and began.began_at_utc = takeovers.began_at_utc

),

-- What stays missing of the time between this session and the next, after history and republishing.
losses as (

    select
        sessions.system_id,
        sessions.began_at_utc,
        count(*) as lost_gap_count,
        {{ exact_sum('open_gaps.missing_s') }} as lost_tag_s
    from sessions
    inner join open_gaps
        on
            sessions.system_id = open_gaps.system_id
            and sessions.next_began_at_utc > open_gaps.from_at_utc
            and open_gaps.until_at_utc > coalesce(sessions.stopped_at_utc, sessions.began_at_utc)
    group by sessions.system_id, sessions.began_at_utc

)

select
    -- ids
    sessions.system_id,
    sessions.began_at_utc,

    -- the session
    sessions.collector_role,
    sessions.server_url,
    sessions.ended_at_utc,
    sessions.end_detail,
    sessions.stopped_at_utc is null and sessions.next_began_at_utc is null as is_running,

    -- what followed
    sessions.next_began_at_utc,
    sessions.next_server_url,
    coalesce(sessions.next_server_url <> sessions.server_url, false) as is_failover,
    sessions.takeover_detail is not null as is_takeover,
    sessions.takeover_detail,
    cast({{ seconds_between('sessions.stopped_at_utc', 'sessions.next_began_at_utc') }} as double) as outage_s,
    cast(coalesce(losses.lost_gap_count, 0) as integer) as lost_gap_count,
    cast(coalesce(losses.lost_tag_s, 0) as double) as lost_tag_s
from sessions
left join losses on sessions.system_id = losses.system_id and sessions.began_at_utc = losses.began_at_utc

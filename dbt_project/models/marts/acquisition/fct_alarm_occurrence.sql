with

changes as (

    select * from {{ ref('int_acquisition__alarm_changes') }}
    where occurrence_number > 0

),

-- Who acted first, and how the end is known.
acts as (

    select
        *,
        row_number() over (
            partition by system_id, condition_id, branch_id, occurrence_number, is_acknowledgement
            order by change_number
        ) as acknowledgement_rank,
        row_number() over (
            partition by system_id, condition_id, branch_id, occurrence_number, is_confirmation
            order by change_number
        ) as confirmation_rank,
        cast({{ seconds_between('event_at_utc', 'next_event_at_utc') }} as double) as lasted_s
    from changes

),

occurrences as (

    select
        system_id,
        condition_id,
        branch_id,
        occurrence_number,
        max(condition_name) as condition_name,
        max(event_type) as event_type,
        max(source_name) as source_name,
        max(tag_id) as tag_id,
        max(case when is_raise then severity end) as raised_severity,
        max(severity) as highest_severity,
        max(case when is_raise then message end) as raised_message,
        max(case when limit_state like '%HighHigh%' then 1 else 0 end) as is_high_high,
        max(case when limit_state like '%LowLow%' then 1 else 0 end) as is_low_low,
        max(case when limit_state like '%High%' then 1 else 0 end) as is_high,
        max(case when limit_state like '%Low%' then 1 else 0 end) as is_low,
        min(case when is_raise then active_changed_at_utc end) as raised_at_utc,
        max(case when is_raise then told_by end) as raise_known_by_code,
        max(case when is_raise and not (is_shelved or is_suppressed or is_out_of_service) then 1 else 0 end)
            as is_annunciated,
        max(case when not is_acknowledged then 1 else 0 end) as must_be_acknowledged,
        min(case when is_acknowledgement then event_at_utc end) as acknowledged_at_utc,
        max(case when is_acknowledgement and acknowledgement_rank = 1 then client_user_id end) as acknowledged_by,
        max(case when is_acknowledgement and acknowledgement_rank = 1 then comment end) as acknowledged_comment,
        min(case when is_confirmation then event_at_utc end) as confirmed_at_utc,
        max(case when is_confirmation and confirmation_rank = 1 then client_user_id end) as confirmed_by,
        max(case when is_confirmation and confirmation_rank = 1 then comment end) as confirmed_comment,
        min(case when is_clear then active_changed_at_utc end) as cleared_at_utc,
        max(case when is_clear then told_by end) as clear_known_by_code,
        min(case when not is_standing and not is_wanted then event_at_utc end) as closed_at_utc,
        min(case when is_shelving then event_at_utc end) as first_shelved_at_utc,
        sum(case when is_shelving then 1 else 0 end) as shelving_count,
        {{ exact_sum('case when is_shelved then lasted_s end') }} as shelved_s,
        {{ exact_sum('case when is_suppressed then lasted_s end') }} as suppressed_s,
        {{ exact_sum('case when is_out_of_service then lasted_s end') }} as out_of_service_s,
        count(*) as change_count,
        max(event_at_utc) as last_change_at_utc
    from acts
    group by system_id, condition_id, branch_id, occurrence_number

),

-- What came back before its end was seen ended at the latest then; what it waited for went over to a branch.
followed as (

    select
        *,
        lead(raised_at_utc) over (
            partition by system_id, condition_id, branch_id order by occurrence_number
        ) as next_raised_at_utc,
        lag(raised_at_utc, 2) over (
            partition by system_id, condition_id, branch_id order by occurrence_number
        ) as second_last_raised_at_utc
    from occurrences

),

ended as (

    select
        *,
        coalesce(cleared_at_utc, next_raised_at_utc) as ended_at_utc,
        case when cleared_at_utc is null and next_raised_at_utc is not null then 'refresh' else clear_known_by_code end
            as end_known_by_code,
        coalesce(closed_at_utc, next_raised_at_utc) as settled_at_utc
    from followed

)

select
    -- ids
    system_id,
    condition_id,
    branch_id,
    raised_at_utc,
    cast(occurrence_number as integer) as occurrence_number,
    {{ plant_date('raised_at_utc') }} as raised_date,

    -- the alarm
    condition_name,
    event_type,
    source_name,
    tag_id,
    raised_severity,
    highest_severity,
    case
        when is_high_high = 1 then 'HighHigh'
        when is_low_low = 1 then 'LowLow'
        when is_high = 1 then 'High'
        when is_low = 1 then 'Low'
    end as outermost_limit_state,
    raised_message,
    is_annunciated = 1 as is_annunciated,
    branch_id = ''
    and coalesce(
        {{ seconds_between('second_last_raised_at_utc', 'raised_at_utc') }} <= {{ var('alarm_chattering_s') }}, false
    ) as is_chattering,

    -- its life
    acknowledged_at_utc,
    acknowledged_by,
    acknowledged_comment,
    confirmed_at_utc,
    confirmed_by,
    confirmed_comment,
    ended_at_utc as cleared_at_utc,
    settled_at_utc as closed_at_utc,
    ended_at_utc is null as is_active,
    must_be_acknowledged = 1 and acknowledged_at_utc is null and settled_at_utc is null as is_unacknowledged,
    raise_known_by_code,
    end_known_by_code,

    -- what kept it from the operator, completed intervals
    first_shelved_at_utc,
    cast(shelving_count as integer) as shelving_count,
    coalesce(shelved_s, 0) as shelved_s,
    coalesce(suppressed_s, 0) as suppressed_s,
    coalesce(out_of_service_s, 0) as out_of_service_s,

    -- durations
    cast({{ seconds_between('raised_at_utc', 'ended_at_utc') }} as double) as active_s,
    cast({{ seconds_between('raised_at_utc', 'acknowledged_at_utc') }} as double) as acknowledged_after_s,
    cast({{ seconds_between('raised_at_utc', 'confirmed_at_utc') }} as double) as confirmed_after_s,
    cast(change_count as integer) as change_count,
    last_change_at_utc
from ended

{%- set kinds = {'shelved': 'is_shelved', 'suppressed': 'is_suppressed', 'out_of_service': 'is_out_of_service'} -%}

with

states as (

    {% for kind, column in kinds.items() %}
    select
        '{{ kind }}' as suppression_code,
        system_id,
        condition_id,
        change_number,
        event_at_utc,
        {{ column }} as is_on,
        condition_name,
        source_name,
        tag_id,
        shelving_state,
        is_standing,
        comment,
        client_user_id
    from {{ ref('int_acquisition__alarm_changes') }}
    where branch_id = ''
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

compared as (

    select
        *,
        is_on
        and not coalesce(
            lag(is_on) over (partition by suppression_code, system_id, condition_id order by change_number), false
        ) as is_begin
    from states

),

numbered as (

    select
        *,
        sum(case when is_begin then 1 else 0 end) over (
            partition by suppression_code, system_id, condition_id order by change_number rows unbounded preceding
        ) as interval_number
    from compared

),

intervals as (

    select
        suppression_code,
        system_id,
        condition_id,
        interval_number,
        min(event_at_utc) as from_at_utc,
        min(case when not is_on then event_at_utc end) as until_at_utc,
        max(case when is_begin then shelving_state end) as shelving_state,
        max(case when is_begin then client_user_id end) as begun_by,
        max(case when is_begin then comment end) as begun_comment,
        max(case when is_on and is_standing then 1 else 0 end) as hid_an_alarm,
        max(condition_name) as condition_name,
        max(source_name) as source_name,
        max(tag_id) as tag_id
    from numbered
    where interval_number > 0
    group by suppression_code, system_id, condition_id, interval_number

)

select
    -- ids
    suppression_code,
    system_id,
    condition_id,
    cast(interval_number as integer) as interval_number,

    -- the interval
    from_at_utc,
    until_at_utc,
    {{ plant_date('from_at_utc') }} as from_date,
    until_at_utc is null as is_running,
    cast({{ seconds_between('from_at_utc', 'until_at_utc') }} as double) as lasted_s,
    case when suppression_code = 'shelved' then shelving_state end as shelving_state,
    begun_by,
    begun_comment,
    hid_an_alarm = 1 as is_alarm_hidden,

    -- the alarm
    condition_name,
    source_name,
    tag_id
from intervals

with

events as (

    select * from {{ ref('stg_lims_main__sample_events') }}

),

samples as (

    select * from {{ ref('stg_lims_main__samples') }}

)

select
    events.event_id,
    events.sample_id,
    samples.sample_type_code,
    samples.lot_id,
    samples.batch_id,
    events.step_code,
    events.done_at_utc,
    events.person_code,
    events.station_id,
    {{ seconds_between(
        'lag(events.done_at_utc) over (partition by events.sample_id order by events.done_at_utc, events.event_id)',
        'events.done_at_utc'
    ) }} / 60.0 as since_last_step_min,
    case
        when events.step_code = 'REQUEST' then 'not_needed'
        when events.scanned_code is null then 'missing'
        when events.scanned_code = samples.barcode then 'right'
        else 'wrong'
    end as scan_code
from events
left join samples on events.sample_id = samples.sample_id

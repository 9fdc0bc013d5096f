with

runs as (

    select * from {{ ref('stg_mes_main__packing_records') }}

),

rejects as (

    select
        packing_id,
        count(*) as vision_reject_count,
        sum(case when verdict_code = 'F' then 1 else 0 end) as false_alarm_count,
        sum(case when verdict_code = 'O' then 1 else 0 end) as open_reject_count
    from {{ ref('stg_mes_main__vision_rejects') }}
    group by packing_id

)

select
    runs.packing_id,
    runs.batch_id,
    runs.lot_id,
    runs.material_id,
    runs.equipment_id,
    runs.crew_code,
    runs.container_code,
    runs.started_at_utc,
    runs.ended_at_utc,
    {{ seconds_between('runs.started_at_utc', 'runs.ended_at_utc') }} / 60.0 as duration_min,
    cast(runs.filled_count as bigint) as filled_count,
    cast(runs.rejected_count as bigint) as rejected_count,
    runs.packed_quantity_kg,
    100.0 * (runs.filled_count - runs.rejected_count) / nullif(runs.filled_count, 0) as packing_yield_pct,
    coalesce(rejects.vision_reject_count, 0) as vision_reject_count,
    cast(coalesce(rejects.false_alarm_count, 0) as bigint) as false_alarm_count,
    cast(coalesce(rejects.open_reject_count, 0) as bigint) as open_reject_count
from runs
left join rejects on runs.packing_id = rejects.packing_id

with

operations as (

    select * from {{ ref('stg_mes_main__operations') }}

),

overlapping as (

    select
        operations.operation_id,
        greatest(operations.started_at_utc, standstills.started_at_utc) as from_at_utc,
        least(operations.ended_at_utc, standstills.ended_at_utc) as to_at_utc
    from operations
    inner join {{ ref('stg_mes_main__equipment_downtime') }} as standstills
        on
            operations.equipment_id = standstills.equipment_id
            and operations.ended_at_utc > standstills.started_at_utc
            and operations.started_at_utc < standstills.ended_at_utc

),

standstills as (

    select
        operation_id,
        count(*) as standstill_count,
        {{ exact_sum(seconds_between('from_at_utc', 'to_at_utc')) }} / 60.0 as standstill_min
    from overlapping
    group by operation_id

)

select
    operations.operation_id,
    operations.production_order_id,
    cast(operations.operation_number as bigint) as operation_number,
    operations.operation_name_zh,
    operations.equipment_id,
    operations.crew_code,
    operations.status_code,
    operations.planned_start_at_utc,
    operations.planned_end_at_utc,
    operations.started_at_utc,
    operations.ended_at_utc,
    {{ seconds_between('operations.planned_start_at_utc', 'operations.started_at_utc') }} / 60.0 as start_delay_min,
    {{ seconds_between('operations.planned_end_at_utc', 'operations.ended_at_utc') }} / 60.0 as end_delay_min,
    {{ seconds_between('operations.started_at_utc', 'operations.ended_at_utc') }} / 60.0 as duration_min,
    coalesce(standstills.standstill_count, 0) as standstill_count,
    coalesce(standstills.standstill_min, 0) as standstill_min
from operations
left join standstills on operations.operation_id = standstills.operation_id

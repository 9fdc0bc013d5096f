with

complaints as (

    select * from {{ ref('stg_qms_main__complaints') }}

),

made as (

    select
        lot_id,
        min(batch_id) as batch_id
    from {{ ref('stg_mes_main__batch_outputs') }}
    group by lot_id

),

records as (

    select * from {{ ref('fct_batch_records') }}

),

samples as (

    select
        lot_id,
        count(*) as sample_count,
        sum(out_of_limits_count) as out_of_limits_count
    from {{ ref('fct_inspection_lots') }}
    where lot_id is not null
    group by lot_id

)

select
    complaints.complaint_id,
    complaints.customer_id,
    complaints.sales_order_id,
    complaints.shipment_id,
    complaints.lot_id,
    made.batch_id,
    complaints.nonconformity_id,
    complaints.complaint_type,
    complaints.verdict_code,
    complaints.claimed_quantity_kg,
    complaints.received_at_utc,
    complaints.answered_at_utc,
    complaints.closed_at_utc,
    {{ seconds_between('complaints.received_at_utc', 'complaints.answered_at_utc') }} / 3600.0 as answered_after_h,
    made.batch_id is not null as is_lot_known,
    coalesce(samples.sample_count, 0) as sample_count,
    cast(coalesce(samples.out_of_limits_count, 0) as bigint) as out_of_limits_count,
    coalesce(records.deviating_parameter_count, 0) as deviating_parameter_count
from complaints
left join made on complaints.lot_id = made.lot_id
left join records on made.batch_id = records.batch_id
left join samples on complaints.lot_id = samples.lot_id

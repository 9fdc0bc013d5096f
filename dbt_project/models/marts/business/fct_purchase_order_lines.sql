with

purchase_orders as (

    select * from {{ ref('stg_erp_main__purchase_orders') }}

),

purchase_order_lines as (

    select * from {{ ref('stg_erp_main__purchase_order_lines') }}

),

receipts as (

    select
        purchase_order_id,
        purchase_order_line_number,
        {{ exact_sum("case when movement_type_code = '102' then -quantity_kg else quantity_kg end") }} as received_kg,
        -- a reversed receipt was none
        min(case when movement_type_code = '101' and not is_reversed then posting_date end) as first_received_date,
        max(case when movement_type_code = '101' and not is_reversed then posting_date end) as last_received_date
    from (
        select
            posted.*,
            undone.reversed_receipt_id is not null as is_reversed
        from {{ ref('stg_erp_main__purchase_receipts') }} as posted
        left join (
            select distinct
                reversed_receipt_id,
                purchase_order_id,
                purchase_order_line_number
            from {{ ref('stg_erp_main__purchase_receipts') }}
            where reversed_receipt_id is not null
        ) as undone
            -- the ERP says which document is taken back, not which of its items
            on
                posted.receipt_id = undone.reversed_receipt_id
                and posted.purchase_order_id = undone.purchase_order_id
                and posted.purchase_order_line_number = undone.purchase_order_line_number
    ) as judged
    group by purchase_order_id, purchase_order_line_number

),

invoices as (

    select
        purchase_order_id,
        purchase_order_line_number,
        count(*) as invoice_count,
        {{ exact_sum('quantity_kg') }} as invoiced_kg,
        {{ exact_sum("case when currency_code = 'CNY' then net_value end") }} as invoiced_net_cny,
        coalesce(sum(case when is_blocked then 1 else 0 end) > 0, false) as is_invoice_blocked,
        case when sum(case when paid_date is null then 1 else 0 end) = 0 then max(paid_date) end as paid_date
    from {{ ref('stg_erp_main__purchase_invoices') }}
    where reversed_by_id is null
    group by purchase_order_id, purchase_order_line_number

),

joined as (

    select
        purchase_order_lines.*,
        purchase_orders.supplier_id,
        purchase_orders.order_date,
        purchase_orders.release_code,
        purchase_order_lines.is_deleted or coalesce(purchase_orders.is_deleted, false) as is_cancelled,
        case
            when purchase_order_lines.currency_code = 'CNY'
                then
                    purchase_order_lines.net_price / nullif(purchase_order_lines.price_unit_quantity, 0)
                    * purchase_order_lines.quantity / nullif(purchase_order_lines.quantity_kg, 0)
        end as price_cny_per_kg,
        receipts.first_received_date,
        receipts.last_received_date,
        coalesce(receipts.received_kg, 0) as received_kg,
        coalesce(invoices.invoice_count, 0) as invoice_count,
        coalesce(invoices.invoiced_kg, 0) as invoiced_kg,
        coalesce(invoices.invoiced_net_cny, 0) as invoiced_net_cny,
        coalesce(invoices.is_invoice_blocked, false) as is_invoice_blocked,
        invoices.paid_date
    from purchase_order_lines
    left join purchase_orders on purchase_order_lines.purchase_order_id = purchase_orders.purchase_order_id
    left join receipts
        on
            purchase_order_lines.purchase_order_id = receipts.purchase_order_id
            and purchase_order_lines.line_number = receipts.purchase_order_line_number
    left join invoices
        on
            purchase_order_lines.purchase_order_id = invoices.purchase_order_id
            and purchase_order_lines.line_number = invoices.purchase_order_line_number

)

select
    -- ids
    purchase_order_id,
    line_number,
    supplier_id,
    material_id,
    material_code,

    -- what was ordered
    order_date,
    requested_date,
    quantity_kg as ordered_kg,
    price_cny_per_kg,

    -- what came of it
    received_kg,
    first_received_date,
    last_received_date,
    invoiced_kg,
    invoiced_net_cny,
    invoiced_net_cny - invoiced_kg * price_cny_per_kg as invoiced_over_order_cny,
    is_invoice_blocked,
    paid_date,

    -- state
    coalesce(last_received_date > requested_date, false) as is_received_late,
    received_kg <= 0 and invoice_count > 0 as is_invoiced_without_receipt,
    is_cancelled,
    case
        when is_cancelled then 'cancelled'
        when
            paid_date is not null
            and received_kg > 0
            and invoiced_kg >= received_kg
            and (is_delivery_completed or received_kg >= quantity_kg)
            then 'paid'
        when received_kg > 0 and invoice_count > 0 then 'invoiced'
        when received_kg > 0 then 'received'
        when release_code = 'G' then 'released'
        else 'in_approval'
    end as stage_code,
    updated_at_utc
from joined

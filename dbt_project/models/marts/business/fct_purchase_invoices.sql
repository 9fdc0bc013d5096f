with

purchase_invoices as (

    select * from {{ ref('stg_erp_main__purchase_invoices') }}

),

purchase_order_lines as (

    select
        purchase_order_id,
        line_number
    from {{ ref('stg_erp_main__purchase_order_lines') }}

)

select
    purchase_invoices.purchase_invoice_id,
    purchase_invoices.purchase_order_id,
    purchase_invoices.purchase_order_line_number,
    purchase_invoices.supplier_id,
    purchase_invoices.supplier_invoice_no,
    purchase_invoices.invoice_date,
    purchase_invoices.posting_date,
    purchase_invoices.quantity_kg,
    purchase_invoices.net_value,
    purchase_invoices.tax_value,
    purchase_invoices.currency_code,
    purchase_invoices.is_blocked,
    purchase_invoices.paid_date,
    purchase_invoices.reversed_by_id,
    purchase_order_lines.purchase_order_id is not null as is_order_known,
    purchase_invoices.updated_at_utc
from purchase_invoices
left join purchase_order_lines
    on
        purchase_invoices.purchase_order_id = purchase_order_lines.purchase_order_id
        and purchase_invoices.purchase_order_line_number = purchase_order_lines.line_number

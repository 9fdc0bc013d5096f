with

sales_orders as (

    select * from {{ ref('stg_erp_main__sales_orders') }}

),

sales_order_lines as (

    select * from {{ ref('stg_erp_main__sales_order_lines') }}

),

customer_versions as (

    select * from {{ ref('stg_erp_main__customer_versions') }}

)

select
    -- ids
    sales_order_lines.sales_order_id,
    sales_order_lines.line_number,
    sales_orders.customer_id,
    customer_versions.customer_name as customer_name_at_order,
    sales_order_lines.material_id,
    sales_order_lines.material_code,

    -- quantities
    sales_order_lines.quantity,
    sales_order_lines.unit_id,
    sales_order_lines.quantity_kg,

    -- state
    sales_orders.order_date,
    sales_orders.requested_date,
    sales_orders.status_code as order_status_code,
    sales_order_lines.delivery_status_code,
    sales_order_lines.is_rejected or coalesce(sales_orders.is_deleted, false) as is_cancelled,
    sales_order_lines.updated_at_utc
from sales_order_lines
left join sales_orders on sales_order_lines.sales_order_id = sales_orders.sales_order_id
left join customer_versions
    on
        sales_orders.customer_id = customer_versions.customer_id
        and {{ is_version_at('customer_versions', day_start_utc('sales_orders.order_date')) }}

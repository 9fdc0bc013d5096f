with

customers as (

    select * from {{ ref('stg_erp_main__customers') }}

)

select
    customer_id,
    customer_name,
    city_name,
    credit_code,
    is_deleted,
    created_date,
    updated_at_utc
from customers

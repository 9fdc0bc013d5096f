with

customer_versions as (

    select * from {{ ref('stg_erp_main__customer_versions') }}

)

select
    customer_id,
    customer_name,
    city_name,
    credit_code,
    is_deleted,
    created_date,
    version_number,
    valid_from_at_utc,
    valid_to_at_utc,
    is_current
from customer_versions

with

supplier_versions as (

    select * from {{ ref('stg_erp_main__supplier_versions') }}

)

select
    supplier_id,
    supplier_name,
    city_name,
    credit_code,
    hazardous_permit_no,
    is_blocked,
    is_deleted,
    created_date,
    version_number,
    valid_from_at_utc,
    valid_to_at_utc,
    is_current
from supplier_versions

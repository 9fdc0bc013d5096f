with

versions as (

    {{ versions_of(source('erp_main', 'raw_erp_main__suppliers'), [
        'supplier_id',
        'supplier_name',
        'city_name',
        'credit_code',
        'hazardous_permit_no',
        'block_code',
        'deletion_mark_code',
        'created_date'
    ], changed_at='updated_at_utc') }}

)

select
    {{ without_leading_zeros('versions.supplier_id') }} as supplier_id,
    versions.supplier_name,
    versions.city_name,
    versions.credit_code,
    versions.hazardous_permit_no,
    coalesce(trim(versions.block_code) = 'X', false) as is_blocked,
    coalesce(trim(versions.deletion_mark_code) = 'X', false) as is_deleted,
    versions.created_date,
    versions.version_number,
    versions.valid_from_at_utc,
    versions.valid_to_at_utc,
    versions.is_current,
    versions._extracted_at_utc
from versions

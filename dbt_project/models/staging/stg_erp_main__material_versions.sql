with

versions as (

    {{ versions_of(source('erp_main', 'raw_erp_main__materials'), [
        'material_code',
        'material_name',
        'material_type_code',
        'base_unit_code',
        'cas_number',
        'hazard_mark_code',
        'deletion_mark_code'
    ], changed_at='updated_at_utc') }}

)

select
    versions.material_name,
    trim(versions.material_type_code) as material_type_code,
    trim(versions.base_unit_code) as base_unit_code,
    versions.cas_number,
    coalesce(trim(versions.hazard_mark_code) = 'X', false) as is_hazardous,
    coalesce(trim(versions.deletion_mark_code) = 'X', false) as is_deleted,
    {{ material_columns('versions') }},
    versions.version_number,
    versions.valid_from_at_utc,
    versions.valid_to_at_utc,
    versions.is_current,
    versions._extracted_at_utc
from versions
{{ joined_materials('versions', 'erp_main', ref('stg_site_register__code_mappings')) }}

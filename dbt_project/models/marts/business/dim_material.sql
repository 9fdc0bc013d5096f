with

material_versions as (

    select * from {{ ref('stg_erp_main__material_versions') }}
    where material_id is not null

),

code_mappings as (

    select * from {{ ref('stg_site_register__code_mappings') }}
    where code_type = 'material' and valid_to_date = date '9999-12-31'

),

codes as (

    select
        standard_code as material_id,
        max(case when source_system = 'mes_main' then source_code end) as material_code_mes,
        max(case when source_system = 'wms_main' then source_code end) as material_code_wms
    from code_mappings
    group by standard_code

)

select
    material_versions.material_id,
    material_versions.material_name,
    material_versions.material_type_code,
    material_versions.base_unit_code,
    material_versions.cas_number,
    material_versions.is_hazardous,
    material_versions.is_deleted,
    material_versions.material_code as material_code_erp,
    codes.material_code_mes,
    codes.material_code_wms,
    material_versions.version_number,
    material_versions.valid_from_at_utc,
    material_versions.valid_to_at_utc,
    material_versions.is_current
from material_versions
left join codes on material_versions.material_id = codes.material_id

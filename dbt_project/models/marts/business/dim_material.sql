with

materials as (

    select * from {{ ref('stg_erp_main__materials') }}
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
    materials.material_id,
    materials.material_name,
    materials.material_type_code,
    materials.base_unit_code,
    materials.cas_number,
    materials.is_hazardous,
    materials.is_deleted,
    materials.material_code as material_code_erp,
    codes.material_code_mes,
    codes.material_code_wms
from materials
left join codes on materials.material_id = codes.material_id

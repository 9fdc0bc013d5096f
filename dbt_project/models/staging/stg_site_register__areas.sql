with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__areas'), [
        'area_id', 'area_name_zh', 'area_name_en', 'area_type_code', 'is_live_data_needed'
    ]) }}

)

select
    area_id,
    area_name_zh,
    area_name_en,
    area_type_code,
    is_live_data_needed
from current_words

with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__devices'), [
        'device_id', 'device_name_zh', 'device_name_en', 'device_class_code', 'area_id', 'segment_id', 'system_id', 'tag_id', 'no_path_reason_zh', 'valid_from_date', 'valid_to_date'
    ]) }}

)

select
    device_id,
    device_name_zh,
    device_name_en,
    device_class_code,
    area_id,
    segment_id,
    system_id,
    tag_id,
    no_path_reason_zh,
    valid_from_date,
    coalesce(valid_to_date, date '9999-12-31') as valid_to_date
from current_words

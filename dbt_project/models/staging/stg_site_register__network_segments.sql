with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__network_segments'), [
        'segment_id', 'segment_name_zh', 'segment_name_en', 'technology_code', 'area_id', 'zone_code', 'valid_from_date', 'valid_to_date'
    ]) }}

)

select
    segment_id,
    segment_name_zh,
    segment_name_en,
    technology_code,
    area_id,
    zone_code,
    valid_from_date,
    coalesce(valid_to_date, date '9999-12-31') as valid_to_date
from current_words

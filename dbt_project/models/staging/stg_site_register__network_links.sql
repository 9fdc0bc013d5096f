with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__network_links'), [
        'link_id', 'link_name_zh', 'link_name_en', 'from_segment_id', 'to_segment_id', 'technology_code', 'direction_code', 'passes_device_id', 'valid_from_date', 'valid_to_date'
    ]) }}

)

select
    link_id,
    link_name_zh,
    link_name_en,
    from_segment_id,
    to_segment_id,
    technology_code,
    direction_code,
    passes_device_id,
    valid_from_date,
    coalesce(valid_to_date, date '9999-12-31') as valid_to_date
from current_words

with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__dosing_records'), [
        'dosing_id',
        'batch_id',
        'lot_id',
        'material_code',
        'target_quantity',
        'actual_quantity',
        'unit_code',
        'tolerance_pct',
        'dosing_mode_code',
        'scale_id',
        'operator_code',
        'dosed_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.dosing_id,
    current_words.batch_id,
    current_words.lot_id,
    cast(current_words.tolerance_pct as double) as tolerance_pct,
    trim(current_words.dosing_mode_code) as dosing_mode_code,
    current_words.scale_id,
    trim(current_words.operator_code) as operator_code,
    current_words.dosed_at_utc,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'target_quantity') }},
    cast(current_words.actual_quantity as double) as actual_quantity,
    {{ in_kilograms('current_words', 'actual_quantity') }} as actual_quantity_kg,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'mes_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'mes_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}

{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

{{ monitoring_periods(
    air=ref('int_monitoring__air_ten_minute'),
    water=ref('int_monitoring__water_ten_minute'),
    factors=ref('hj212_factors'),
    watermark=ref('int_monitoring__watermark'),
    arrivals=ref('int_monitoring__arrivals'),
    period_s=600,
    expected_count={'air': 10, 'water': 1},
    avg_value_method={'air': "'calculated'", 'water': "'measured'"}
) }}

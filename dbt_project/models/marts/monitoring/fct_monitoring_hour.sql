{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

{{ monitoring_periods(
    air=ref('int_monitoring__air_hour'),
    water=ref('int_monitoring__water_hour'),
    factors=ref('hj212_factors'),
    watermark=ref('int_monitoring__watermark'),
    arrivals=ref('int_monitoring__arrivals'),
    period_s=3600,
    expected_count={'air': 60, 'water': 6},
    avg_value_method={'air': "'calculated'", 'water': "'calculated'"},
    averaging_code={
        'air': "'arithmetic'",
        'water': "case when is_flow_weighted then 'flow_weighted' else 'arithmetic' end",
    }
) }}

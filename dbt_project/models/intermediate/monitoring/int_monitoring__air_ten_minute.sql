{{ air_periods(ref('fct_monitoring_minute'), ref('hj212_factors'), 10, var('air_ten_minute_min_minutes')) }}

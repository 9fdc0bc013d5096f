{{ air_periods(ref('fct_monitoring_minute'), ref('hj212_factors'), 60, var('air_hour_min_minutes')) }}

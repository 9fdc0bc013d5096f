{{ province_hj212_periods(ref('fct_monitoring_hour')) }}

{# What differs between DuckDB and Spark engines is said here once; models call these and stay portable. #}

{% macro plant_date(instant) %}{{ adapter.dispatch('plant_date')(instant) }}{% endmacro %}
{% macro default__plant_date(instant) %}cast(({{ instant }}) at time zone '{{ var("plant_zone") }}' as date){% endmacro %}
{% macro spark__plant_date(instant) %}cast(from_utc_timestamp({{ instant }}, '{{ var("plant_zone") }}') as date){% endmacro %}

{# The instant at which a plant day begins. #}
{% macro day_start_utc(day) %}{{ adapter.dispatch('day_start_utc')(day) }}{% endmacro %}
{% macro default__day_start_utc(day) %}(cast({{ day }} as timestamp) at time zone '{{ var("plant_zone") }}'){% endmacro %}
{% macro spark__day_start_utc(day) %}to_utc_timestamp(cast({{ day }} as timestamp), '{{ var("plant_zone") }}'){% endmacro %}

{# Start of the period of so many minutes that holds the instant; zones lie whole ten minutes from UTC. #}
{% macro floor_to_minutes(instant, minutes) %}{{ adapter.dispatch('floor_to_minutes')(instant, minutes) }}{% endmacro %}
{% macro default__floor_to_minutes(instant, minutes) -%}
    time_bucket(interval '{{ minutes }} minutes', {{ instant }})
{%- endmacro %}
{% macro spark__floor_to_minutes(instant, minutes) -%}
    timestamp_seconds(floor(unix_timestamp({{ instant }}) / {{ minutes * 60 }}) * {{ minutes * 60 }})
{%- endmacro %}

{% macro add_seconds(instant, seconds) %}{{ adapter.dispatch('add_seconds')(instant, seconds) }}{% endmacro %}
{% macro default__add_seconds(instant, seconds) %}({{ instant }} + interval '{{ seconds }} seconds'){% endmacro %}
{% macro spark__add_seconds(instant, seconds) %}({{ instant }} + make_interval(0, 0, 0, 0, 0, 0, {{ seconds }})){% endmacro %}

{% macro add_days(day, days) %}{{ adapter.dispatch('add_days')(day, days) }}{% endmacro %}
{% macro default__add_days(day, days) %}cast({{ day }} + interval '{{ days }} days' as date){% endmacro %}
{% macro spark__add_days(day, days) %}date_add({{ day }}, {{ days }}){% endmacro %}

{# Whole and part seconds from one instant to another. #}
{% macro seconds_between(first, last) %}{{ adapter.dispatch('seconds_between')(first, last) }}{% endmacro %}
{% macro default__seconds_between(first, last) %}(epoch({{ last }}) - epoch({{ first }})){% endmacro %}
{% macro spark__seconds_between(first, last) %}(cast({{ last }} as double) - cast({{ first }} as double)){% endmacro %}

{# One row a day of the two included days. #}
{% macro days_between(first_day, last_day) %}{{ adapter.dispatch('days_between')(first_day, last_day) }}{% endmacro %}
{% macro default__days_between(first_day, last_day) -%}
    select cast(days.day_at as date) as calendar_date
    from generate_series(cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval '1 day') as days (day_at)
{%- endmacro %}
{% macro spark__days_between(first_day, last_day) -%}
    select explode(sequence({{ first_day }}, {{ last_day }})) as calendar_date
{%- endmacro %}

{# OPC UA severity (the two highest bits) and reason (the sixteen highest) of a status code held in 64 bits. #}
{% macro status_severity(status_code) %}(({{ status_code }}) - ({{ status_code }}) % 1073741824){% endmacro %}
{% macro status_reason(status_code) %}(({{ status_code }}) - ({{ status_code }}) % 65536){% endmacro %}

{% macro is_number(value) %}{{ adapter.dispatch('is_number')(value) }}{% endmacro %}
{% macro default__is_number(value) %}({{ value }} is not null and isfinite({{ value }})){% endmacro %}
{% macro spark__is_number(value) %}({{ value }} is not null and abs({{ value }}) < cast('infinity' as double)){% endmacro %}

{# The run, so that the publication finds the partitions that were rebuilt. #}
{% macro built_at_utc() %}cast('{{ run_started_at }}' as {{ type_instant() }}){% endmacro %}
{% macro type_instant() %}{{ adapter.dispatch('type_instant')() }}{% endmacro %}
{% macro default__type_instant() %}timestamp with time zone{% endmacro %}
{% macro spark__type_instant() %}timestamp{% endmacro %}

{# The systems whose collectors send points, tags and gaps; a site need not have each of them. #}
{% macro stream_systems() %}
    {{ return(['opcua_environment', 'opcua_production', 'iot_main', 'instruments_main']) }}
{% endmacro %}

{# Those of them that send alarms. #}
{% macro alarm_systems() %}
    {{ return(['opcua_environment', 'opcua_production']) }}
{% endmacro %}

{# The value that a limit judges, in the unit of dim_outlet_limit; a rate is that of the measured concentration. #}
{% macro judged_value(limit_basis_code, avg_value, converted_avg_value, emission_kg, period_s) -%}
    case {{ limit_basis_code }}
        when 'measured' then {{ avg_value }}
        when 'converted' then {{ converted_avg_value }}
        when 'rate' then {{ emission_kg }} * 3600.0 / {{ period_s }}
    end
{%- endmacro %}

{# Whether a value lies beyond its limit, which has a lower end for pH alone; null where there is no value or no limit. #}
{% macro is_beyond_limit(value, limit_low, limit_value) -%}
    ({{ value }} > {{ limit_value }} or coalesce({{ value }} < {{ limit_low }}, false))
{%- endmacro %}

{# A period's total in kilograms; null where the total is no mass. #}
{% macro amount_kg(amount, amount_unit) -%}
    ({{ amount }} * case {{ amount_unit }} when 'kg' then 1.0 when 'g' then 0.001 when 'mg' then 0.000001 end)
{%- endmacro %}

{# Formulas of HJ 212-2017 Annex D, numbered as there; transforms/ holds the same and a test compares the results. #}

{# Whether a gas can be in this state: a station that starts up shows zeros as good, and a tag need not have a range. #}
{% macro is_gas_state(temperature_c, static_pressure_pa, barometric_pressure_pa) -%}
    ({{ temperature_c }} > -273.0 and {{ barometric_pressure_pa }} + {{ static_pressure_pa }} > 0.0)
{%- endmacro %}

{# (18) to 273 K and 101 325 Pa, as a factor on the concentration. #}
{% macro standard_condition_factor(temperature_c, static_pressure_pa, barometric_pressure_pa) -%}
    case
        when {{ is_gas_state(temperature_c, static_pressure_pa, barometric_pressure_pa) }}
            then 101325.0 / ({{ barometric_pressure_pa }} + {{ static_pressure_pa }}) * ((273.0 + {{ temperature_c }}) / 273.0)
    end
{%- endmacro %}

{# (19) to dry basis, as a factor. #}
{% macro dry_basis_factor(moisture_pct) %}case when {{ moisture_pct }} < 100.0 then 1.0 / (1.0 - {{ moisture_pct }} / 100.0) end{% endmacro %}

{# (28) to reference oxygen, as a factor; null where it has no meaning: oxygen within a point of air's or beyond. #}
{% macro reference_oxygen_factor(oxygen_pct, reference_oxygen_pct) -%}
    case
        when {{ reference_oxygen_pct }} is null then 1.0
        when {{ oxygen_pct }} between 0.0 and {{ var('oxygen_max_computable_pct') }}
            then ({{ var('oxygen_in_air_pct') }} - {{ reference_oxygen_pct }}) / ({{ var('oxygen_in_air_pct') }} - {{ oxygen_pct }})
    end
{%- endmacro %}

{# (29)-(31) dry gas flow at standard conditions in m3/s for one m/s of measured velocity. #}
{% macro standard_dry_flow_m3_s_per_m_s(
    velocity_coefficient, stack_area_m2, temperature_c, static_pressure_pa, barometric_pressure_pa, moisture_pct
) -%}
    case
        when {{ is_gas_state(temperature_c, static_pressure_pa, barometric_pressure_pa) }} and {{ moisture_pct }} < 100.0
            then
                {{ velocity_coefficient }} * {{ stack_area_m2 }} * (273.0 / (273.0 + {{ temperature_c }}))
                * (({{ barometric_pressure_pa }} + {{ static_pressure_pa }}) / 101325.0) * (1.0 - {{ moisture_pct }} / 100.0)
    end
{%- endmacro %}

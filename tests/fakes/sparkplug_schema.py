"""Sparkplug B messages encoded by Google's runtime, from the schema as Sparkplug 3.0.0 §6.4 numbers it.

Shares nothing with our decoder: what both misread would have to be misread in the specification twice.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = {"string": 9, "bytes": 12, "bool": 8, "uint32": 13, "uint64": 4, "float": 2, "double": 1}
_SCALARS = "{0}:uint32:int_value {1}:uint64:long_value {2}:float:float_value {3}:double:double_value "
_SCALARS += "{4}:bool:boolean_value {5}:string:string_value"


def _scalars(first: int) -> str:
    return _SCALARS.format(*range(first, first + 6))


# message → fields `number:type:name`; a star marks a repeated one, a capital letter a message.
_SCHEMA = {
    "Payload": "1:uint64:timestamp 2:*Metric:metrics 3:uint64:seq 4:string:uuid 5:bytes:body",
    "Metric": "1:string:name 2:uint64:alias 3:uint64:timestamp 4:uint32:datatype 5:bool:is_historical "
    "6:bool:is_transient 7:bool:is_null 8:MetaData:metadata 9:PropertySet:properties "
    + _scalars(10)
    + " 16:bytes:bytes_value 17:DataSet:dataset_value 18:Template:template_value",
    "MetaData": "1:bool:is_multi_part 2:string:content_type 3:uint64:size 4:uint64:seq 5:string:file_name "
    "6:string:file_type 7:string:md5 8:string:description",
    "PropertySet": "1:*string:keys 2:*PropertyValue:values",
    "PropertyValue": "1:uint32:type 2:bool:is_null " + _scalars(3) + " 9:PropertySet:propertyset_value",
    "DataSet": "1:uint64:num_of_columns 2:*string:columns 3:*uint32:types 4:*Row:rows",
    "Row": "1:*DataSetValue:elements",
    "DataSetValue": _scalars(1),
    "Template": "1:string:version 2:*Metric:metrics 3:*Parameter:parameters 4:string:template_ref "
    "5:bool:is_definition",
    "Parameter": "1:string:name 2:uint32:type " + _scalars(3),
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_test.proto", package="t", syntax="proto2")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            number, kind, label = text.split(":")
            repeated, kind = kind.startswith("*"), kind.lstrip("*")
            field = message.field.add(name=label, number=int(number), label=3 if repeated else 1)
            if kind in _TYPES:
                field.type = _TYPES[kind]  # type: ignore[assignment]
            else:
                field.type, field.type_name = 11, f".t.{kind}"  # type: ignore[assignment]
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())
Payload: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName("t.Payload"))

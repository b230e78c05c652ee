{{/* Names and labels. */}}
{{- define "skustream.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "skustream.fullname" -}}
{{- $name := include "skustream.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "skustream.selector" -}}
app.kubernetes.io/name: {{ include "skustream.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "skustream.labels" -}}
{{ include "skustream.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "skustream.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "skustream.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "skustream.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The stages of the pipeline, in order, with commas. Without a file: those of stream/pipeline.yaml. */}}
{{- define "skustream.pipelineStages" -}}
{{- if .Values.pipeline -}}
{{- $read := fromYaml .Values.pipeline -}}
{{- if or (hasKey $read "Error") (not (kindIs "slice" $read.stages)) -}}
{{- fail "pipeline: not a pipeline file: a YAML map with `stages` was expected; try `skustream pipeline check FILE`" -}}
{{- end -}}
{{- $names := list -}}
{{- range $read.stages -}}
{{- if not (and (kindIs "map" .) (kindIs "string" (dig "name" 0 .))) -}}
{{- fail "pipeline: each of its stages needs a name; try `skustream pipeline check FILE`" -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- join "," $names -}}
{{- else -}}
remove-bg,upscale,lifestyle,thumbnails
{{- end -}}
{{- end -}}

{{/* The settings file. JSON values are YAML, and large whole numbers stay what they are. */}}
{{- define "skustream.settings" -}}
{{- $own := dict
      "kafka_bootstrap_servers" .Values.kafka.bootstrapServers
      "kafka" .Values.kafka.options
      "store" .Values.store.url
      "cdn_base_url" .Values.store.cdnBaseUrl
      "aws_region" .Values.store.region
      "aws_endpoint_url" .Values.store.endpointUrl
      "pixelapi_base" .Values.pixelapi.base
      "quota_requests" .Values.quota.requests
      "quota_window_seconds" .Values.quota.windowSeconds
      "drain_seconds" .Values.drainSeconds
      "otlp_endpoint" .Values.tracing.endpoint
      "pipeline" (ternary "/etc/skustream/pipeline.yaml" "" (ne .Values.pipeline "")) -}}
{{- $all := merge (dict) $own .Values.settings -}}
{{- range $name := keys $all | sortAlpha }}
{{- $value := get $all $name }}
{{- if or (kindIs "bool" $value) (kindIs "float64" $value) (kindIs "int64" $value) $value }}
{{ $name }}: {{ $value | toJson }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skustream.configData" -}}
settings.yaml: |
  {{- include "skustream.settings" . | nindent 2 }}
{{- if .Values.pipeline }}
pipeline.yaml: {{ .Values.pipeline | toJson }}
{{- end }}
{{- end -}}

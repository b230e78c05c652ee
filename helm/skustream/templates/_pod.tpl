{{/* Parts of every pod: nothing runs as root, nothing can be written but volumes, no token of the API is there. */}}
{{- define "skustream.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "skustream.container" -}}
image: {{ include "skustream.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
# A wrong setting is one line on stderr and exit code 2: `kubectl describe pod` shows it.
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Memory limit = request, no CPU limit. `dict "cpu" "memory"`. */}}
{{- define "skustream.resources" -}}
requests:
  cpu: {{ .cpu | quote }}
  memory: {{ .memory | quote }}
limits:
  memory: {{ .memory | quote }}
{{- end -}}

{{- define "skustream.kafkaEnv" -}}
- name: SKUSTREAM_CONFIG
  value: /etc/skustream/settings.yaml
{{- with .Values.kafka.sasl }}
{{- if .existingSecret }}
- name: SKUSTREAM_KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .usernameKey | quote }}
- name: SKUSTREAM_KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .passwordKey | quote }}
{{- end }}
{{- end }}
{{- with .Values.kafka.tls }}
{{- if .existingSecret }}
{{- if .caKey }}
- name: SKUSTREAM_KAFKA_SSL_CA_LOCATION
  value: /etc/skustream-kafka/{{ .caKey }}
{{- end }}
{{- if .certificateKey }}
- name: SKUSTREAM_KAFKA_SSL_CERTIFICATE_LOCATION
  value: /etc/skustream-kafka/{{ .certificateKey }}
- name: SKUSTREAM_KAFKA_SSL_KEY_LOCATION
  value: /etc/skustream-kafka/{{ .privateKeyKey }}
{{- if .privateKeyPasswordKey }}
- name: SKUSTREAM_KAFKA_SSL_KEY_PASSWORD_FILE
  value: /etc/skustream-kafka/{{ .privateKeyPasswordKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skustream.storeEnv" -}}
{{- with .Values.store }}
{{- if .existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .accessKeyIdKey | quote }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .secretAccessKeyKey | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skustream.tracingEnv" -}}
{{- with .Values.tracing }}
{{- if .existingSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .secretKey | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skustream.mounts" -}}
- name: config
  mountPath: /etc/skustream
  readOnly: true
{{- if .Values.kafka.tls.existingSecret }}
- name: kafka-tls
  mountPath: /etc/skustream-kafka
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- end -}}

{{/* `dict "root" $ "config" NAME`. */}}
{{- define "skustream.volumes" -}}
- name: config
  configMap:
    name: {{ .config | quote }}
{{- with .root.Values.kafka.tls.existingSecret }}
- name: kafka-tls
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: {{ int .root.Values.tmp.sizeMiB }}Mi
{{- end -}}

{{/*
L3: whatever is rendered, replicas times share is never more than the contract. One map per Deployment, as JSON:
name, stage (empty: all), replicas, most (shares the part is cut into), share as a fraction, resources, and whether KEDA
scales it, from one worker to `most`.
*/}}
{{- define "skustream.fleet" -}}
{{- $fleet := list -}}
{{- $percent := int .Values.quota.percent -}}
{{- if kindIs "string" .Values.stages -}}
{{- $fleet = append $fleet (dict "name" (include "skustream.fullname" .) "stage" "" "replicas" (int .Values.replicas)
      "most" (int (.Values.maxReplicas | default .Values.replicas)) "limited" (gt (int .Values.maxReplicas) 0)
      "percent" $percent "resources" .Values.resources) -}}
{{- else -}}
{{- $known := splitList "," (include "skustream.pipelineStages" .) -}}
{{- $seen := list -}}
{{- $sum := 0 -}}
{{- range .Values.stages -}}
{{- if not (has .name $known) -}}
{{- fail (printf "stages: the pipeline has no stage %s; it has %s" .name (join ", " $known)) -}}
{{- end -}}
{{- if has .name $seen -}}
{{- fail (printf "stages: %s is named twice" .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- $sum = add $sum (int .quotaPercent) -}}
{{- $fleet = append $fleet (dict "name" (printf "%s-%s" (include "skustream.fullname" $) .name | trunc 52 | trimSuffix "-")
      "stage" .name "replicas" (int .replicas) "most" (int (.maxReplicas | default .replicas)) "limited" (gt (int (.maxReplicas | default 0)) 0)
      "percent" (int .quotaPercent) "resources" (.resources | default $.Values.resources)) -}}
{{- end -}}
{{- if gt (int $sum) $percent -}}
{{- fail (printf "stages: their quotaPercent add up to %d, more than quota.percent (%d): the contract would be broken (L3)" (int $sum) $percent) -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- $checked := list -}}
{{- $anyScaled := false -}}
{{- range $fleet -}}
{{- $what := .stage | default "all stages" -}}
{{- $most := int .most -}}
{{- if and $.Values.autoscaling.enabled (not .limited) -}}
{{- $most = max 1 (div (mul (int $.Values.quota.requests) (int .percent)) (mul 100 (int $.Values.autoscaling.requestsPerWorker))) | int -}}
{{- end -}}
{{- $scaled := and $.Values.autoscaling.enabled (gt $most 1) -}}
{{- $anyScaled = or $anyScaled $scaled -}}
{{- $_ := set . "most" $most -}}
{{- $_ := set . "scaled" $scaled -}}
{{- if and (not $scaled) (gt (int .replicas) (int .most)) -}}
{{- fail (printf "%s: %d replicas, but the contract is cut for maxReplicas %d: it would be broken (L3); raise maxReplicas first, then replicas" $what (int .replicas) (int .most)) -}}
{{- end -}}
{{- $parts := mul 100 (max 1 (int .most)) -}}
{{- if lt (div (mul (int $.Values.quota.requests) (int .percent)) $parts) 1 -}}
{{- fail (printf "%s: %d %% of %d requests for %d workers is less than one request each: fewer workers, or a larger part" $what (int .percent) (int $.Values.quota.requests) (int .most)) -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "stages: two Deployments would be called %s: set a shorter fullnameOverride" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $checked = append $checked (merge (dict "share" (printf "%d/%d" (int .percent) (int $parts))) .) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not $anyScaled) -}}
{{- fail "autoscaling.enabled, but the contract has room for one worker only: raise maxReplicas, or lower autoscaling.requestsPerWorker" -}}
{{- end -}}
{{- dict "deployments" $checked | toJson -}}
{{- end -}}

{{/*
An upgrade of what runs already, seen only where Helm can ask the cluster. In a rolling update old and new workers run side
by side: shares may only shrink while replicas stay, and the stages must be the same ones.
*/}}
{{- define "skustream.checkUpgrade" -}}
{{- range (include "skustream.fleet" . | fromJson).deployments -}}
{{- $old := lookup "apps/v1" "Deployment" $.Release.Namespace .name -}}
{{- if and $old (eq $.Values.updateStrategy "RollingUpdate") (gt (int (dig "spec" "replicas" 1 $old)) 0) -}}
{{- $way := "set updateStrategy=Recreate for this upgrade" -}}
{{- $notes := dig "spec" "template" "metadata" "annotations" (dict) $old -}}
{{- $stages := get $notes "skustream/pipeline-stages" -}}
{{- if and $stages (ne $stages (include "skustream.pipelineStages" $)) -}}
{{- fail (printf "%s: the pipeline's stages change from %s to %s: workers of both must not run side by side (L1); %s" .name $stages (include "skustream.pipelineStages" $) $way) -}}
{{- end -}}
{{- $more := and (not .scaled) (gt (int .replicas) (int (dig "spec" "replicas" 1 $old))) -}}
{{- $status := dig "status" (dict) $old -}}
{{- if and $more (ne (int (get $status "updatedReplicas" | default 0)) (int (get $status "replicas" | default 0))) -}}
{{- fail (printf "%s: the last roll-out has not ended, and workers with another share may still run: wait for `kubectl rollout status deployment/%s`, or %s" .name .name $way) -}}
{{- end -}}
{{- $share := get $notes "skustream/quota-share" -}}
{{- if and $share (ne $share .share) -}}
{{- $was := splitList "/" $share -}}
{{- $is := splitList "/" .share -}}
{{- $grows := gt (mul (index $is 0) (index $was 1)) (mul (index $was 0) (index $is 1)) -}}
{{- if .scaled -}}
{{- fail (printf "%s: each worker's share of the contract changes from %s to %s, and the autoscaler may add new workers beside old ones: it could be broken (L3); %s" .name $share .share $way) -}}
{{- end -}}
{{- if or $grows $more -}}
{{- fail (printf "%s: each worker's share of the contract changes from %s to %s while old and new workers run side by side: it could be broken (L3); %s, or raise maxReplicas first and replicas after that" .name $share .share $way) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

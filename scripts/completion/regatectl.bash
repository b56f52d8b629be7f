# SPDX-License-Identifier: BSD-3-Clause
# bash completion of regatectl; written by `regatectl --completion bash`.
# shellcheck shell=bash
_regatectl() {
	local cur=${COMP_WORDS[COMP_CWORD]} words='' said=() i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) ((i++)) ;;
		--json) ;;
		*) said+=("${COMP_WORDS[i]}") ;;
		esac
	done
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --socket ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	local last=''
	((${#said[@]} > 2)) && last=${said[-1]}
	[[ $last == --* ]] || last=''
	case "${said[*]:0:2}${last:+ $last}" in
	"") words="--socket --json --help --version status stats metrics stages top pool lease store conn log tls token help" ;;
	"status") words="" ;;
	"stats") words=" --all" ;;
	"metrics") words="" ;;
	"stages") words="" ;;
	"top --interval") words="" ;;
	"top") words=" --once --interval" ;;
	"pool") words=" list show import remove export drain undrain" ;;
	"pool list") words="" ;;
	"pool show") words="" ;;
	"pool import --format") words=" csv json" ;;
	"pool import") words=" --format" ;;
	"pool remove --format") words=" csv json" ;;
	"pool remove") words=" --format" ;;
	"pool export --format") words=" csv json" ;;
	"pool export --after") words="" ;;
	"pool export") words=" --format --after" ;;
	"pool drain") words="" ;;
	"pool undrain") words="" ;;
	"lease") words=" list show revoke release suspect clear history" ;;
	"lease list --pool") words="" ;;
	"lease list --state") words=" free offered pending active dereg-pending unknown quarantine" ;;
	"lease list --wwsf") words="" ;;
	"lease list --sub") words="" ;;
	"lease list --impu") words="" ;;
	"lease list --limit") words="" ;;
	"lease list --after") words="" ;;
	"lease list") words=" --pool --state --wwsf --sub --impu --suspect --limit --after" ;;
	"lease show") words="" ;;
	"lease revoke") words="" ;;
	"lease release") words="" ;;
	"lease suspect") words="" ;;
	"lease clear") words="" ;;
	"lease history") words="" ;;
	"store") words=" show backup check" ;;
	"store show") words="" ;;
	"store backup") words=" --force" ;;
	"store check") words="" ;;
	"conn") words=" list" ;;
	"conn list --limit") words="" ;;
	"conn list") words=" --limit" ;;
	"log") words=" level" ;;
	"log level") words=" error warn info debug" ;;
	"tls") words=" show reload" ;;
	"tls show") words="" ;;
	"tls reload") words="" ;;
	"token") words=" keys reload" ;;
	"token keys") words="" ;;
	"token reload") words="" ;;
	"help") words="" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _regatectl regatectl

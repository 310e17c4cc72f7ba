# Writes nlme.json: reference fits of the mixed model. Run from anywhere with
#   ESTRADYN_SHARED=/path/to/shared Rscript freeze_nlme.R nlme.json
suppressMessages({library(nlme); library(jsonlite)})
data_folder <- file.path(Sys.getenv("ESTRADYN_SHARED"), "data")
control <- lmeControl(opt = "nlminb", maxIter = 2000, msMaxIter = 5000, msTol = 1e-12,
                      tolerance = 1e-12, niterEM = 200)

reference <- function(fit) {
  random <- getVarCov(fit)
  list(terms = names(fixef(fit)), coefficients = unname(fixef(fit)),
       standard_errors = unname(sqrt(diag(vcov(fit)))), residual_sd = fit$sigma,
       random_covariance = matrix(as.numeric(random), nrow = nrow(random)),
       log_likelihood = as.numeric(logLik(fit)))
}

growth <- read.csv(file.path(data_folder, "tumor_growth_lmm.csv"))
growth$subject <- factor(growth$subject)
first <- growth[growth$Time == 0, c("subject", "TumorVolume")]
names(first)[2] <- "baseline"
growth <- merge(growth, first)
growth <- growth[growth$Time > 0, ]
growth$y <- log(growth$TumorVolume / growth$baseline)
growth$arm <- factor(growth$Treatment, levels = c("Control", "DrugA", "DrugB", "Combination"))

lung <- function(column, knot, arms) {
  mice <- read.csv(file.path(data_folder, "lung_xenograft_volumes.csv"))
  mice$mouse_id <- factor(mice$mouse_id)
  # One volume at a floor of 0.05 mm3 between 13 and 18 mm3.
  mice <- mice[!(mice$mouse_id == 28 & mice$time_d == 18) & mice$arm %in% arms, ]
  mice$value <- mice[[column]]
  first <- mice[mice$time_d == 0, c("mouse_id", "value")]
  names(first)[2] <- "baseline"
  mice <- merge(mice, first)
  mice <- mice[mice$time_d > 0 & !is.na(mice$value), ]
  mice$y <- log(mice$value)
  mice$b <- log(mice$baseline) - mean(log(first$baseline))
  mice$early <- pmin(mice$time_d, knot)
  mice$late <- pmax(mice$time_d - knot, 0)
  mice$arm <- factor(mice$arm)
  mice
}
all_arms <- c("control", "erlotinib_low", "erlotinib_medium", "erlotinib_high")
piecewise <- y ~ 0 + arm + arm:early + arm:late + b

fits <- list(
  r = R.version.string, nlme = as.character(packageVersion("nlme")),
  tumor_growth = reference(lme(y ~ 0 + Time:arm, random = ~ 0 + Time | subject,
                               data = growth, control = control)),
  lung_volume = reference(lme(piecewise, random = ~ 1 + early + late | mouse_id,
                              data = lung("volume_cm3", 16, all_arms), control = control)),
  lung_volume_low_dose = reference(lme(piecewise, random = ~ 1 + time_d | mouse_id,
                                       data = lung("volume_cm3", 9, all_arms[1:2]),
                                       control = control)),
  lung_body_weight = reference(lme(piecewise, random = ~ 1 + early + late | mouse_id,
                                   data = lung("body_weight_g", 16, all_arms),
                                   control = control)))
write_json(fits, commandArgs(TRUE)[1], digits = 10, auto_unbox = TRUE, pretty = TRUE)

/* A damped oscillator as an FMU (FMI 2.0, co-simulation): m x'' + c x' + k x = 0, x(0) = x0,
   x'(0) = 0, by Runge-Kutta of order 4. A mass of 0 or less is an error; above 1e6 it crashes. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int Ref;
typedef struct {
    double k, c, m, x0, x, v;
    int copies;
} Model;
enum { OK = 0, ERROR = 3 };

static void start(Model *model) {
    model->k = 100.0, model->c = 1.0, model->m = 1.0, model->x0 = 1.0, model->copies = 1;
    model->x = model->v = 0.0;
}

static double pull(const Model *model, double x, double v) {
    return -(model->k * x + model->c * v) / model->m;
}

const char *fmi2GetTypesPlatform(void) { return "default"; }
const char *fmi2GetVersion(void) { return "2.0"; }

void *fmi2Instantiate(const char *name, int kind, const char *guid, const char *resources,
                      const void *functions, int visible, int logging) {
    Model *model = malloc(sizeof(Model));
    (void)name, (void)resources, (void)functions, (void)visible, (void)logging;
    if (model == NULL || kind != 1 || strcmp(guid, "{oscillator}") != 0) return NULL;
    start(model);
    return model;
}

void fmi2FreeInstance(void *model) { free(model); }
int fmi2SetupExperiment(void *m, int known, double tolerance, double from, int ends, double to) {
    (void)m, (void)known, (void)tolerance, (void)from, (void)ends, (void)to;
    return OK;
}
int fmi2EnterInitializationMode(void *m) { (void)m; return OK; }
int fmi2ExitInitializationMode(void *m) {
    Model *model = m;
    model->x = model->x0;
    return OK;
}
int fmi2Terminate(void *m) { (void)m; return OK; }
int fmi2Reset(void *m) { start(m); return OK; }

int fmi2SetReal(void *m, const Ref refs[], size_t count, const double values[]) {
    Model *model = m;
    double *places[] = {&model->k, &model->c, &model->m, &model->x0};
    for (size_t i = 0; i < count; i++) {
        if (refs[i] > 3) return ERROR;
        *places[refs[i]] = values[i];
    }
    return OK;
}

int fmi2GetReal(void *m, const Ref refs[], size_t count, double values[]) {
    const Model *model = m;
    const double all[] = {model->k, model->c, model->m, model->x0,
                          model->x, model->v, model->copies * model->x};
    for (size_t i = 0; i < count; i++) {
        if (refs[i] > 6) return ERROR;
        values[i] = all[refs[i]];
    }
    return OK;
}

int fmi2SetInteger(void *m, const Ref refs[], size_t count, const int values[]) {
    for (size_t i = 0; i < count; i++) {
        if (refs[i] != 7) return ERROR;
        ((Model *)m)->copies = values[i];
    }
    return OK;
}

int fmi2DoStep(void *m, double now, double step, int no_set_before) {
    Model *model = m;
    const int parts = 20;
    const double h = step / parts;
    (void)now, (void)no_set_before;
    if (model->m <= 0.0) return ERROR;
    if (model->m > 1e6) raise(SIGSEGV);
    for (int i = 0; i < parts; i++) {
        const double x = model->x, v = model->v;
        const double a1 = pull(model, x, v), v2 = v + h / 2 * a1;
        const double a2 = pull(model, x + h / 2 * v, v2), v3 = v + h / 2 * a2;
        const double a3 = pull(model, x + h / 2 * v2, v3), v4 = v + h * a3;
        const double a4 = pull(model, x + h * v3, v4);
        model->x += h / 6 * (v + 2 * v2 + 2 * v3 + v4);
        model->v += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4);
    }
    return OK;
}

/* What the standard demands of every unit, and no test asks for. */
#define NONE(name) int name(void) { return ERROR; }
NONE(fmi2SetDebugLogging)
NONE(fmi2GetInteger)
NONE(fmi2GetBoolean)
NONE(fmi2GetString)
NONE(fmi2SetBoolean)
NONE(fmi2SetString)
NONE(fmi2GetFMUstate)
NONE(fmi2SetFMUstate)
NONE(fmi2FreeFMUstate)
NONE(fmi2SerializedFMUstateSize)
NONE(fmi2SerializeFMUstate)
NONE(fmi2DeSerializeFMUstate)
NONE(fmi2GetDirectionalDerivative)
NONE(fmi2SetRealInputDerivatives)
NONE(fmi2GetRealOutputDerivatives)
NONE(fmi2CancelStep)
NONE(fmi2GetStatus)
NONE(fmi2GetRealStatus)
NONE(fmi2GetIntegerStatus)
NONE(fmi2GetBooleanStatus)
NONE(fmi2GetStringStatus)

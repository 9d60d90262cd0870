/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_sweep.c -- what is done before the garbage collector runs
 *
 * The interpreter looks at signals when a function in Python begins, and has no
 * use for what a callback of the garbage collector raises. So a callback in
 * Python would be where Ctrl-C gets lost in a program that makes many objects,
 * whether or not it has anything to do with this package. A function in C is no
 * such place: as long as nothing is outstanding, no Python runs.
 *
 * Otherwise it calls Python. Signal handlers run there, in the main thread. What
 * one raises is kept, and raised by a pending call, which the interpreter makes
 * where it looks at signals: as if the signal had come after the collection.
 */

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030a0000
#endif
#include <Python.h>

#include "_miniasync_sweep.h"

#include <stdbool.h>

/* Without an answer, a signal handler has raised again: it is the main one. */
static bool
is_main_thread(void)
{
	PyObject *threading = PyImport_ImportModule("threading");
	PyObject *main_thread = threading == NULL
		? NULL
		: PyObject_CallMethod(threading, "main_thread", NULL);
	PyObject *ident = main_thread == NULL
		? NULL
		: PyObject_GetAttrString(main_thread, "ident");
	const bool is_main = ident == NULL ||
		PyLong_AsUnsignedLong(ident) == PyThread_get_thread_ident();

	Py_XDECREF(ident);
	Py_XDECREF(main_thread);
	Py_XDECREF(threading);
	PyErr_Clear();
	return is_main;
}

static int
raise_kept(void *kept)
{
	PyObject *exception = kept;

	PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception,
		PyException_GetTraceback(exception));
	return -1;
}

/* Leaves the exception set if it has no other place to go. */
static void
keep_exception(void)
{
	PyObject *type;
	PyObject *exception;
	PyObject *traceback;
	bool is_kept;

	PyErr_Fetch(&type, &exception, &traceback);
	PyErr_NormalizeException(&type, &exception, &traceback);
	if (traceback != NULL)
		(void)PyException_SetTraceback(exception, traceback);
	is_kept = is_main_thread() &&
		Py_AddPendingCall(raise_kept, exception) == 0;
	if (!is_kept) {
		PyErr_Restore(type, exception, traceback);
		return;
	}
	Py_XDECREF(type);
	Py_XDECREF(traceback);
}

/* Is it a collection that goes through more than what is new? */
static bool
is_thorough(PyObject *args)
{
	PyObject *phase;
	PyObject *info;
	PyObject *generation;

	if (!PyArg_ParseTuple(args, "OO!", &phase, &PyDict_Type, &info))
		return false;
	generation = PyDict_GetItemString(info, "generation");
	return generation != NULL &&
		PyUnicode_CompareWithASCIIString(phase, "start") == 0 &&
		PyLong_AsLong(generation) != 0;
}

/* `module` is miniasync._sweep. */
static PyObject *
before_collection(PyObject *module, PyObject *args)
{
	PyObject *outstanding;
	bool is_any;

	if (!is_thorough(args))
		return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
	/* Near the interpreter's end, the module is emptied. */
	outstanding = PyObject_GetAttrString(module, "outstanding");
	is_any = outstanding != NULL && PyDict_Check(outstanding) &&
		PyDict_Size(outstanding) != 0;
	Py_XDECREF(outstanding);
	PyErr_Clear();
	if (is_any) {
		PyObject *answer =
			PyObject_CallMethod(module, "look_at_all", NULL);

		if (answer == NULL)
			keep_exception();
		Py_XDECREF(answer);
	}
	return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef callback = {
	"before_collection",
	before_collection,
	METH_VARARGS,
	"Look at what is outstanding.",
};

int
ma_sweep_install(void)
{
	const PyGILState_STATE state = PyGILState_Ensure();
	PyObject *module = PyImport_ImportModule("miniasync._sweep");
	PyObject *gc = PyImport_ImportModule("gc");
	PyObject *callbacks =
		gc == NULL ? NULL : PyObject_GetAttrString(gc, "callbacks");
	PyObject *function =
		module == NULL ? NULL : PyCFunction_New(&callback, module);
	int error = -1;

	if (callbacks != NULL && function != NULL)
		error = PyList_Append(callbacks, function);
	Py_XDECREF(function);
	Py_XDECREF(callbacks);
	Py_XDECREF(gc);
	Py_XDECREF(module);
	PyErr_Clear();
	PyGILState_Release(state);
	return error;
}
